package inspect

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pgha/toolkit/pgha/connstring"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/internal/vault"
	"github.com/pgha/toolkit/pgha/preflight"
	"github.com/pgha/toolkit/pgha/remote"
)

// etcdCAFile is where package etcd puts the CA; a host that has it belongs to a cluster.
const etcdCAFile = "/etc/etcd/certs/ca.crt"

// Gather asks a host for its facts in one round trip, and tries meanwhile whether sshd forwards connections.
func Gather(ctx context.Context, t *remote.Target, want preflight.Want) (preflight.Facts, error) {
	forbidden := make(chan string, 1)
	go func() { forbidden <- forwardingForbidden(ctx, t, "127.0.0.1:1") }()
	before := time.Now()
	res, err := t.Batch(ctx,
		[]string{"date", "+%s.%N"},
		[]string{"cat", "/etc/os-release"},
		[]string{"dpkg", "--print-architecture"},
		[]string{"id", "-u"},
		[]string{"cat", "/proc/1/comm"},
		[]string{"timedatectl", "show", "--property=NTPSynchronized", "--property=Timezone"},
		[]string{"df", "-Pk", "--", "/var/lib"},
		want.Question(),
		[]string{"test", "-c", "/dev/watchdog"},
		openFiles(want),
		[]string{"cat", etcdCAFile},
		[]string{"cat", vault.NoteFile},
		site.LookAtReset,
		remote.ForeignCommand(want.FilePaths()...),
		[]string{"date", "+%s.%N"},
	)
	after := time.Now()
	if err != nil {
		return preflight.Facts{}, err
	}
	text := func(i int) string { return strings.TrimSpace(string(res[i].Stdout)) }
	f := preflight.Facts{
		Architecture: text(2), Root: text(3) == "0", Init: text(4) == "systemd",
		Premises: preflight.Read(text(7)), Watchdog: res[8].ExitCode == 0,
	}
	f.Candidates = f.Premises.Candidates
	os := site.KeyValues(text(1))
	f.Distribution, f.Release, f.Codename = os["ID"], os["VERSION_ID"], os["VERSION_CODENAME"]
	tz := site.KeyValues(text(5))
	f.ClockSynced, f.TimeZone = tz["NTPSynchronized"] == "yes", tz["Timezone"]
	f.OpenFiles, _ = strconv.Atoi(text(9))
	f.EtcdCA, f.StateNote, f.UnfinishedReset = text(10), site.NoteOf(res[11]), site.UnfinishedReset(text(12))
	f.Listeners = f.Premises.Ports()
	f.Premises.Foreign = strings.FieldsFunc(text(13), func(r rune) bool { return r == 0 })
	if f.Premises.Forbidden = <-forbidden; f.Premises.Forbidden != "" {
		f.Premises.Forwarding, f.Premises.Forbidden = askForwarding(ctx, t, want, f.Premises.Forbidden)
	}
	f.ClockOffset = clockOffset(before, after, text(0), text(14))
	if f.FreeBytes, err = freeBytes(text(6)); err != nil {
		return f, remote.OnHost(t.Name, err)
	}
	return f, nil
}

// openFiles is the question for Facts.OpenFiles. Of an HAProxy that runs the kernel knows; of another one systemd, whose own
// limit counts where it is lower, because a container may not raise it.
func openFiles(want preflight.Want) []string {
	if want.Database {
		return []string{"true"}
	}
	return []string{"sh", "-c", `own() { sed -n 's/^Max open files *[^ ]* *\([0-9]*\).*/\1/p' "/proc/$1/limits"; }
read -r pid </sys/fs/cgroup/system.slice/haproxy.service/cgroup.procs && own "$pid" && exit
{ systemctl show --value --property=DefaultLimitNOFILE; own 1; } | sort -n | head -n 1`}
}

// clockOffset compares this machine's clock, read before and after a look, with the host's at the look's beginning and end.
func clockOffset(before, after time.Time, began, ended string) time.Duration {
	b, err := strconv.ParseFloat(began, 64)
	if err != nil {
		return 0
	}
	e, err := strconv.ParseFloat(ended, 64)
	if err != nil {
		return 0
	}
	behind, ahead := before.Sub(time.UnixMicro(int64(b*1e6))), time.UnixMicro(int64(e*1e6)).Sub(after)
	return (max(ahead, 0) - max(behind, 0)).Round(time.Millisecond)
}

// freeBytes reads the fourth column of df -Pk.
func freeBytes(df string) (int64, error) {
	lines := strings.Split(df, "\n")
	if f := strings.Fields(lines[len(lines)-1]); len(lines) > 1 && len(f) >= 4 {
		if kib, err := strconv.ParseUint(f[3], 10, 53); err == nil {
			return int64(kib) * 1024, nil
		}
	}
	return 0, fmt.Errorf("read free space: unexpected answer of df: %q", df)
}

// forwardingForbidden tries whether sshd opens a connection to address for the tool. Nobody has to listen there: only a
// refusal by sshd itself counts, and is returned.
func forwardingForbidden(ctx context.Context, t *remote.Target, address string) string {
	conn, err := t.Dial(ctx, "tcp", address)
	if err == nil {
		_ = conn.Close() // nothing was said
	}
	if errors.Is(err, remote.ErrForwardingForbidden) {
		return err.Error()
	}
	return ""
}

// askForwarding asks where sshd is told to forward nothing. Where it may allow some addresses alone (PermitOpen) the cluster's
// own ports are tried, and forbidden is "" when all can be had.
func askForwarding(ctx context.Context, t *remote.Target, want preflight.Want, forbidden string) (lines []string, why string) {
	out, err := t.Batch(ctx, want.ForwardingQuestion())
	if err == nil {
		lines = strings.FieldsFunc(string(out[0].Stdout), func(r rune) bool { return r == '\n' })
	}
	if !slices.ContainsFunc(lines, func(l string) bool { return strings.Contains(strings.ToLower(l), "permitopen") }) {
		return lines, forbidden
	}
	for _, p := range want.Ports {
		if why := forwardingForbidden(ctx, t, connstring.HostPort(t.Address, p.Number)); why != "" {
			return lines, why
		}
	}
	return lines, ""
}
