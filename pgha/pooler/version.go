package pooler

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/remote"
)

// least is the first version without the faults that were found in 2026.
var least = [3]int{1, 26, 1}

// faults are those of the versions before, as their changelog has them (1.25.2 and 1.26.1).
var faults = []string{"CVE-2026-6664", "CVE-2026-107348", "CVE-2026-107349", "CVE-2026-107350"}

// CheckVersion refuses a version of the package pgbouncer that has faults which are known: before
// 1.26.1 anybody can crash it (CVE-2026-6664) or make it hang (CVE-2026-107349), and who knows one
// password of its file can log in as another role (CVE-2026-107350). Debian's 1.24.1-1+deb13u2 has
// the first alone mended. The error matches ErrVersion. Pure computation.
func CheckVersion(version string) error {
	upstream, _, _ := strings.Cut(version, "-")
	if _, rest, epoch := strings.Cut(upstream, ":"); epoch {
		upstream = rest
	}
	upstream, _, _ = strings.Cut(upstream, "+")
	upstream, _, _ = strings.Cut(upstream, "~")
	have := [3]int{}
	for i, part := range strings.SplitN(upstream, ".", 3) {
		have[i], _ = strconv.Atoi(part)
	}
	for i := range least {
		if have[i] != least[i] {
			if have[i] > least[i] {
				return nil
			}
			return errs.WithNext(fmt.Errorf("%w: version %s lets anybody crash it or make it hang, "+
				"and who knows one password log in as another role (%s)", ErrVersion, version,
				strings.Join(faults, ", ")), errs.Text("install PgBouncer 1.26.1 or later, which "+
				"apt.postgresql.org and Debian testing have, or a package whose changelog says "+
				"that it mends them"))
		}
	}
	return nil
}

// CheckInstalled refuses the package that a host has installed as CheckVersion does, unless its
// changelog names the faults: then the distribution has mended them in its own version.
func CheckInstalled(ctx context.Context, t *remote.Target) error {
	res, err := t.Batch(ctx, []string{"dpkg-query", "--show", "--showformat=${Version}",
		"pgbouncer"}, append([]string{"sh", "-c", mendedScript, "mended"}, faults...))
	if err != nil {
		return remote.OnHost(t.Name, err)
	}
	err = CheckVersion(strings.TrimSpace(string(res[0].Stdout)))
	if err == nil || res[1].ExitCode == 0 {
		return nil
	}
	return remote.OnHost(t.Name, err)
}

// mendedScript tells whether the package's changelog has each of its arguments.
const mendedScript = `log=$(zcat /usr/share/doc/pgbouncer/changelog.Debian.gz 2>/dev/null) || exit 1
for fault; do case $log in *"$fault"*) ;; *) exit 1 ;; esac; done`
