#!/bin/bash
# Version:  Patroni 3.0.2 (Debian 12: 3.0.2-1). Seen the same with 4.1.5 (Debian testing: 4.1.5-2).
#
# Expected: SIGHUP makes the REST API present the certificate that lies in its file, as it does when
#           the file is all that has changed.
# Seen:     a reload that also finds another configuration leaves the old certificate in use: the
#           look at the file stands behind an "or" that has been answered already. It stays so until
#           the next reload that finds the configuration unchanged. Whoever renews a certificate and
#           changes a setting in one go has to reload twice.
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

for name in first second; do
	openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=$name" -keyout "$name.key" -out "$name.crt" 2>/dev/null
done

LD_LIBRARY_PATH=$(echo "$dir"/root/usr/lib/*-linux-gnu)
export LD_LIBRARY_PATH
PYTHONPATH=root/usr/lib/python3/dist-packages /usr/bin/python3 - <<'EOF' | tee seen
import shutil, socket, ssl, subprocess
from unittest import mock
from patroni.__main__ import Patroni
from patroni.api import RestApiServer


def install(name):
    for end in ("crt", "key"):
        shutil.copy(f"{name}.{end}", f"served.{end}")


def served():
    pem = ssl.get_server_certificate(("127.0.0.1", port))
    out = subprocess.run(["openssl", "x509", "-noout", "-subject"], input=pem, capture_output=True, text=True)
    return out.stdout.strip().split("=")[-1].strip()


with socket.socket() as s:
    s.bind(("127.0.0.1", 0))
    port = s.getsockname()[1]
install("first")
restapi = {"listen": f"127.0.0.1:{port}", "connect_address": f"127.0.0.1:{port}",
           "certfile": "served.crt", "keyfile": "served.key"}
daemon = Patroni.__new__(Patroni)
daemon.config = mock.MagicMock()
daemon.config.__getitem__.side_effect = {"restapi": restapi, "postgresql": {}, "log": {}}.get
daemon.config.get.side_effect = lambda key, default=None: {"restapi": restapi, "log": {}}.get(key, default)
for part in ("logger", "request", "watchdog", "postgresql", "dcs"):
    setattr(daemon, part, mock.MagicMock())
daemon.get_tags = dict
daemon.api = RestApiServer(mock.MagicMock(), restapi)
daemon.api.start()
print("at the start:", served())
install("second")
daemon.reload_config(sighup=True, local=True)
print("a reload with another setting:", served())
daemon.reload_config(sighup=True, local=False)
print("a reload with the same settings:", served())
daemon.api.shutdown()
EOF

cat >want <<'EOF'
at the start: first
a reload with another setting: first
a reload with the same settings: second
EOF
cmp want seen
