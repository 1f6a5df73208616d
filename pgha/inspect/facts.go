package inspect

import (
	"cmp"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pgha/toolkit/internal/output"
	"github.com/pgha/toolkit/pgha/backup"
	"github.com/pgha/toolkit/pgha/connstring"
	"github.com/pgha/toolkit/pgha/etcd"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/internal/vault"
	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/preflight"
	"github.com/pgha/toolkit/pgha/remote"
)

// clockQuestion prints the host's wall clock, and how long it had been up a moment later;
// uptimeQuestion prints that again, and starts no program for it.
var (
	clockQuestion  = []string{"sh", "-c", "date +%s.%N; " + readUptime, "clock"}
	uptimeQuestion = []string{"sh", "-c", readUptime, "uptime"}
)

const readUptime = `read -r up _ </proc/uptime; echo "$up"`

// timeScript prints whether the clock is right and the time zone, as timedatectl does.
//
//go:embed clock.pl
var timeScript string

// TimeQuestion is the command that prints whether a host's clock is right and its time zone, as
// timedatectl does. It changes nothing, and starts no service for it.
func TimeQuestion() []string { return []string{"perl", "-e", timeScript} }

// factQuestions ask for what readFacts reads.
func factQuestions(want preflight.Want) [][]string {
	return [][]string{
		clockQuestion,
		// The authority that etcd's certificates are of: Patroni has a copy where no etcd runs, or
		// runs any more.
		output.FilesQuestion(releaseFile, initFile, statusFile, etcd.CAFile, layout.PatroniEtcdCA,
			vault.NoteFile, poolerFile, backup.Mark),
		{"dpkg", "--print-architecture"},
		TimeQuestion(),
		want.Question(),
		{"test", "-c", "/dev/watchdog"},
		openFiles(want),
		site.LookAtReset,
		remote.ForeignCommand(want.FilePaths()...),
	}
}

// Files that a host is asked for.
const (
	releaseFile = "/etc/os-release"
	initFile    = "/proc/1/comm"
	statusFile  = "/proc/self/status" // of who reads it
	poolerFile  = "/etc/systemd/system/" + layout.PoolerWriteUnit
	// dataFolder is where packages and the data go.
	dataFolder = "/var/lib"
)

// readFacts reads the answers to factQuestions.
func readFacts(res []remote.Result) preflight.Facts {
	text := func(i int) string { return strings.TrimSpace(string(res[i].Stdout)) }
	files := output.Files(string(res[1].Stdout))
	f := preflight.Facts{
		Architecture: text(2), Root: root(files[statusFile]), Init: files[initFile] == "systemd",
		Premises: preflight.Read(text(4)), Watchdog: res[5].ExitCode == 0,
		EtcdCA:          cmp.Or(files[etcd.CAFile], files[layout.PatroniEtcdCA]),
		UnfinishedReset: site.UnfinishedReset(text(7)),
	}
	f.Pooler = files[poolerFile] != ""
	f.Backup = files[backup.Mark] != ""
	if note := files[vault.NoteFile]; note != "" {
		f.StateNote = []byte(note)
	}
	f.Candidates, f.Listeners = f.Premises.Candidates, f.Premises.Ports()
	os := output.KeyValues(files[releaseFile])
	f.Distribution, f.Release, f.Codename = os["ID"], os["VERSION_ID"], os["VERSION_CODENAME"]
	tz := output.KeyValues(text(3))
	f.ClockSynced, f.TimeZone = tz["NTPSynchronized"] == "yes", tz["Timezone"]
	f.OpenFiles, _ = strconv.Atoi(text(6))
	f.Premises.Foreign = strings.FieldsFunc(text(8), func(r rune) bool { return r == 0 })
	return f
}

// root tells whether a process's status is that of one of root's.
func root(status string) bool {
	_, users, _ := strings.Cut(status, "\nUid:")
	f := strings.Fields(users) // the real user, and the one that counts
	return len(f) > 1 && f[1] == "0"
}

// ClockOffset is how far a host's clock is ahead of this machine's, as far as one round trip can
// tell; below 0 it is behind.
func ClockOffset(ctx context.Context, t *remote.Target) (time.Duration, error) {
	before := time.Now()
	res, err := t.Batch(ctx, clockQuestion)
	if err != nil {
		return 0, err
	}
	clock, up := clockAndUptime(res[0])
	return clockOffset(before, time.Now(), clock, up, up), nil
}

//go:embed openfiles.sh
var openFilesScript string

// openFiles is the question for Facts.OpenFiles.
func openFiles(want preflight.Want) []string {
	if !want.Balancer {
		return []string{"true"}
	}
	return []string{"sh", "-c", openFilesScript, "openfiles"}
}

// clockAndUptime divides the answer to clockQuestion.
func clockAndUptime(res remote.Result) (clock, up string) {
	clock, up, _ = strings.Cut(string(res.Stdout), "\n")
	return clock, strings.TrimSpace(up)
}

// clockOffset compares this machine's clock, read before and after a look, with the host's at the
// look's beginning and, by how much longer it had been up then, at its end.
func clockOffset(before, after time.Time, clock, up, later string) time.Duration {
	var figures [3]float64
	for i, text := range []string{clock, up, later} {
		var err error
		if figures[i], err = strconv.ParseFloat(text, 64); err != nil {
			return 0
		}
	}
	began := time.UnixMicro(int64(figures[0] * 1e6))
	lasted := time.Duration((figures[2] - figures[1]) * float64(time.Second))
	behind, ahead := before.Sub(began), began.Add(lasted).Sub(after)
	return (max(ahead, 0) - max(behind, 0)).Round(time.Millisecond)
}

// freeSpace is what the file system of the data has left: as the look at the premises told, else
// asked on its own.
func freeSpace(ctx context.Context, t *remote.Target, want preflight.Want,
	h preflight.Host) (int64, error) {
	if s, known := want.SpaceAt(h, dataFolder); known {
		return s.KiB << 10, nil
	}
	res, err := t.Batch(ctx, []string{"df", "-Pk", "--", dataFolder})
	if err != nil {
		return 0, err
	}
	free, err := freeBytes(strings.TrimSpace(string(res[0].Stdout)))
	return free, remote.OnHost(t.Name, err)
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

// forwardingForbidden tries whether sshd opens a connection to address for the tool. Nobody has to
// listen there: only a refusal by sshd itself counts, and is returned.
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

// askForwarding asks where sshd is told to forward nothing. Where it may allow some addresses alone
// (PermitOpen) the cluster's own ports are tried, and forbidden is "" when all are allowed.
func askForwarding(ctx context.Context, t *remote.Target, want preflight.Want,
	forbidden string) (lines []string,
	why string) {
	out, err := t.Batch(ctx, want.ForwardingQuestion())
	if err == nil {
		lines = strings.FieldsFunc(string(out[0].Stdout), func(r rune) bool { return r == '\n' })
	}
	if !slices.ContainsFunc(lines, func(l string) bool {
		return strings.Contains(strings.ToLower(l), "permitopen")
	}) {
		return lines, forbidden
	}
	for _, p := range want.Ports {
		if why := forwardingForbidden(ctx, t, connstring.HostPort(t.Address, p.Number)); why != "" {
			return lines, why
		}
	}
	return lines, ""
}
