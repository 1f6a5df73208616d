#!/bin/bash
# Version:  Patroni 3.0.2 (Debian 12: 3.0.2-1). Seen the same in the cluster with 4.1.5 (Debian testing: 4.1.5-2).
#
# Expected: SIGHUP makes the REST API accept clients of every authority that lies in restapi.cafile,
#           as it makes it present the certificate that lies in restapi.certfile.
# Seen:     a reload that finds another cafile, and the same certificate, goes on with the authorities
#           that it had: what it compares is the serial number of its own certificate. Together with a
#           new certificate the file is read again. So the usual first step of replacing an authority,
#           "trust both", takes a new server certificate, also of the old authority.
#
# The REST API is Patroni's own, on the loopback address; what stands around it (PostgreSQL, the
# DCS, the watchdog) only takes note. Needs Debian 12, apt-get download, openssl, /usr/bin/python3.
# Ends with 0 if that is still so, with 1 if it has changed.
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
chmod 755 .
apt-get download -q patroni=3.0.2-1 python3-cdiff=1.0-1.1 python3-click=8.1.3-2 python3-dateutil=2.8.2-2 \
	python3-prettytable=3.6.0-1 python3-psutil=5.9.4-1+b1 python3-six=1.16.0-4 python3-wcwidth=0.2.5+dfsg1-1.1 \
	python3-yaml=6.0-3+b2 >/dev/null 2>&1
# These get security updates; any of Debian 12's will do.
apt-get download -q python3-urllib3 python3-psycopg2 libpq5 libldap-2.5-0 libsasl2-2 >/dev/null 2>&1
for deb in *.deb; do dpkg -x "$deb" root; done

for ca in old new; do
	openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=$ca authority" -keyout "$ca-ca.key" -out "$ca-ca.crt" 2>/dev/null
done
issue() { # NAME AUTHORITY
	openssl req -newkey rsa:2048 -nodes -subj "/CN=$1" -keyout "$1.key" -out "$1.csr" 2>/dev/null
	openssl x509 -req -in "$1.csr" -CA "$2-ca.crt" -CAkey "$2-ca.key" -set_serial "0x$(openssl rand -hex 8)" -days 2 -out "$1.crt" 2>/dev/null
}
issue server-1 old
issue server-2 old
issue client-old old
issue client-new new

LD_LIBRARY_PATH=$(echo "$dir"/root/usr/lib/*-linux-gnu)
export LD_LIBRARY_PATH
PYTHONPATH=root/usr/lib/python3/dist-packages /usr/bin/python3 - 2>/dev/null <<'EOF' | tee seen
import shutil, socket, ssl
from unittest import mock
from patroni.__main__ import Patroni
from patroni.api import RestApiServer


def present(name):
    for end in ("crt", "key"):
        shutil.copy(f"{name}.{end}", f"served.{end}")


def trust(*names):
    with open("trusted.crt", "w") as out:
        for name in names:
            out.write(open(f"{name}-ca.crt").read())


def asked_by(client):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.load_cert_chain(f"{client}.crt", f"{client}.key")
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as plain, context.wrap_socket(plain) as s:
            s.sendall(b"GET /liveness HTTP/1.0\r\n\r\n")
            s.recv(1)
    except ssl.SSLError:
        return "refused"
    except OSError:
        pass
    return "let in"


with socket.socket() as s:
    s.bind(("127.0.0.1", 0))
    port = s.getsockname()[1]
present("server-1")
trust("old")
restapi = {"listen": f"127.0.0.1:{port}", "connect_address": f"127.0.0.1:{port}", "certfile": "served.crt",
           "keyfile": "served.key", "cafile": "trusted.crt", "verify_client": "required"}
daemon = Patroni.__new__(Patroni)
daemon.config = mock.MagicMock()
daemon.config.__getitem__.side_effect = {"restapi": restapi, "postgresql": {}, "log": {}}.get
daemon.config.get.side_effect = lambda key, default=None: {"restapi": restapi, "log": {}}.get(key, default)
for part in ("logger", "request", "watchdog", "postgresql", "dcs"):
    setattr(daemon, part, mock.MagicMock())
daemon.get_tags = dict
daemon.api = RestApiServer(mock.MagicMock(), restapi)
daemon.api.start()
print("the old authority is trusted: its client is", asked_by("client-old") + ", the new one's", asked_by("client-new"))
trust("old", "new")
daemon.reload_config(sighup=True, local=False)
print("a reload with both in the file: the new one's client is", asked_by("client-new"))
present("server-2")
daemon.reload_config(sighup=True, local=False)
print("a reload with another server certificate, too: it is", asked_by("client-new"))
daemon.api.shutdown()
EOF

cat >want <<'EOF'
the old authority is trusted: its client is let in, the new one's refused
a reload with both in the file: the new one's client is refused
a reload with another server certificate, too: it is let in
EOF
cmp want seen
