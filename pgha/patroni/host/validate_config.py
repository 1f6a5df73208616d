"""Runs patroni --validate-config on the file named by the first argument, without touching the network.

Patroni would try to connect to every etcd member, so a valid file would be refused while etcd is still to be started,
and one silent host would hold the check up for minutes.
"""
import runpy
import socket
import sys

socket.socket.connect_ex = lambda *_: 0
sys.argv = ["patroni", "--validate-config", "--ignore-listen-port", sys.argv[1]]
runpy.run_module("patroni", run_name="__main__")
