# agent SIGNAL WORDS: sends the signal to the agent of a fast failover as soon as it says the words, so that it gets no further,
# or hardly. The watch has a unit of its own and stays for one signal.
set -e
systemctl stop pgha-drill-agent-watch 2>/dev/null || :
# shellcheck disable=SC2016 # the shell of the unit reads this
systemd-run --quiet --collect --unit=pgha-drill-agent-watch sh -c 'journalctl -q -f -n 0 -o cat -u pgha-failover | while read -r line; do
	case $line in *"$2"*) systemctl kill --signal="$1" --kill-whom=main pgha-failover; systemctl stop pgha-drill-agent-watch ;; esac
done' watch "$1" "$2"
