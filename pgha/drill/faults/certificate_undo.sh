# certificate_undo PATH FOLDER: brings the certificate back from FOLDER, and makes Patroni read it.
set -e
cp -p "$2/rest-server.key" "$1.key"
cp -p "$2/rest-server.crt" "$1.crt"
systemctl kill --signal=HUP --kill-whom=main patroni
rm -rf "$2"
