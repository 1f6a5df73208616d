"""Mutual TLS over a socket pair under strict rules: handshake.py CA PEER NAME."""
import socket
import ssl
import sys
import threading

ca, peer, name = sys.argv[1:]


def context(purpose):
    made = ssl.create_default_context(purpose, cafile=ca)
    made.verify_flags |= ssl.VERIFY_X509_STRICT
    made.verify_mode = ssl.CERT_REQUIRED
    made.load_cert_chain(peer)
    return made


def serve(sock):
    try:
        with context(ssl.Purpose.CLIENT_AUTH).wrap_socket(sock, server_side=True) as tls:
            tls.sendall(tls.recv(16))
    except OSError as err:
        print("server:", err)
        sock.close()


ours, theirs = socket.socketpair()
ours.settimeout(20)
theirs.settimeout(20)
thread = threading.Thread(target=serve, args=(theirs,))
thread.start()
try:
    with context(ssl.Purpose.SERVER_AUTH).wrap_socket(ours, server_hostname=name) as tls:
        tls.sendall(b"hello")
        if tls.recv(16) != b"hello":
            sys.exit("no answer")
finally:
    ours.close()
    thread.join(20)
