# refusal UNIT: prints the last refusal that the present process of UNIT has logged within half a minute.
id=$(systemctl show -p InvocationID --value "$1") && [ -n "$id" ] &&
journalctl -q --no-pager -o cat --since=-30s "_SYSTEMD_INVOCATION_ID=$id" | grep -F 'Old known term' | tail -n 1
