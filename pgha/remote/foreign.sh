# foreign PATH...: prints, each with a NUL behind it, the files that neither pgha nor a package has written. A file of pgha's
# says so. A package's configuration file that nobody has changed has the checksum that dpkg knows. A symbolic link is
# somebody's own: no package and no run of pgha makes one of these files a link.
for path do
	if [ -L "$path" ]; then
		printf '%s\0' "$path"
		continue
	fi
	[ -f "$path" ] || continue
	grep -q 'ritten by pgha' "$path" && continue
	sum=$(md5sum <"$path")
	grep -qF " $path ${sum%% *}" /var/lib/dpkg/status && continue
	printf '%s\0' "$path"
done
