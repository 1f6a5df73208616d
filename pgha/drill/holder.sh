# holder ADDRESS: says five times a second whether this host has ADDRESS. Ends with its reader.
while :; do
	if [ -n "$(ip -o address show to "$1")" ]; then echo yes; else echo no; fi || exit 0
	sleep 0.2
done
