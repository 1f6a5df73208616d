# foreign PATH...: prints, each with a NUL behind it, the files that neither pgha nor a package has written. A file of pgha's
# says so. A package's configuration file that nobody has changed has the checksum that dpkg knows. A symbolic link is
# somebody's own: no package and no run of pgha makes one of these files a link.
[ $# -gt 0 ] || exit 0
for path do
	[ ! -L "$path" ] || printf '%s\0' "$path"
done
grep -sL 'ritten by pgha' -- "$@" | while IFS= read -r path; do
	[ -f "$path" ] && [ ! -L "$path" ] || continue
	sum=$(md5sum <"$path")
	grep -qF " $path ${sum%% *}" /var/lib/dpkg/status || printf '%s\0' "$path"
done
exit 0
