# journals UNIT...: the last lines of each unit since the host started, behind a line "== UNIT".
for u; do
	echo "== $u"
	journalctl -q --no-pager -o short-iso -b -n 25 -u "$u" 2>&1
done | cut -c1-600
