# certificate PATH FOLDER: copies the certificate and key at PATH into FOLDER.
set -e
umask 077
mkdir -p "$2"
cp -p "$1.crt" "$1.key" "$2/"
