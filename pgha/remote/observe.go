package remote

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pgha/toolkit/internal/output"
)

// questions collects what has to be looked at, without repetition.
type questions struct {
	paths, units, packages, users set
}

type set map[string]struct{}

func (s *set) add(names ...string) {
	if *s == nil {
		*s = set{}
	}
	for _, n := range names {
		(*s)[n] = struct{}{}
	}
}

func (s set) sorted() []string { return slices.Sorted(maps.Keys(s)) }

// observation is how a host looked at one moment.
type observation struct {
	files    map[string]fileState
	units    map[string]unitState
	packages map[string]packageState
	users    map[string]bool
	// monotonic offset: wall clock seconds at monotonic zero, so that a unit's start can be
	// compared with a file's change time.
	epoch float64
	// clock is the host's wall clock and asked this machine's when it told.
	clock float64
	asked time.Time
}

type fileState struct {
	kind         string // as stat's %F: "regular file", "directory", "symbolic link", ...
	mode         uint64
	owner, group string
	changed      float64 // ctime, seconds
	sha256       string
}

type unitState struct {
	load, active, file string
	needReload         bool
	// monotonic seconds of the last activation and of the last state change
	entered, moved float64
}

type packageState struct{ status, version string }

// clockQuestion prints the host's wall clock and how long it has been up, in seconds.
var clockQuestion = []string{"sh", "-c", `read -r up _ </proc/uptime; date "+%s.%N $up"`, "clock"}

// observe answers all questions in one round trip.
func (t *Target) observe(ctx context.Context, q *questions) (*observation, error) {
	paths, units, packages, users := q.paths.sorted(), q.units.sorted(), q.packages.sorted(),
		q.users.sorted()
	if len(paths)+len(units)+len(packages)+len(users) == 0 {
		return &observation{}, nil
	}
	results, err := t.Batch(ctx,
		about(paths, "stat", "--printf", `%F\t%a\t%U\t%G\t%.9Z\t%n\0`, "--"),
		about(paths, "sha256sum", "-z", "--"),
		about(units, "systemctl", "show",
			"--property=Id,Names,LoadState,ActiveState,UnitFileState,NeedDaemonReload,ActiveEnterTimestampMonotonic,StateChangeTimestampMonotonic", "--"),
		about(packages, "dpkg-query", "-W", "-f",
			`${Package}\t${db:Status-Status}\t${Version}\n`, "--"),
		about(users, "getent", "passwd", "--"),
		clockQuestion,
	)
	if err != nil {
		return nil, err
	}
	asked := time.Now()
	o := &observation{asked: asked, files: map[string]fileState{}, units: map[string]unitState{},
		packages: map[string]packageState{}, users: map[string]bool{}}
	o.readFiles(string(results[0].Stdout), string(results[1].Stdout))
	o.readUnits(string(results[2].Stdout))
	o.readPackages(string(results[3].Stdout))
	for line := range strings.Lines(string(results[4].Stdout)) {
		name, _, _ := strings.Cut(line, ":")
		o.users[name] = true
	}
	now, up, _ := strings.Cut(string(results[5].Stdout), " ")
	clock, uptime := seconds(now), seconds(up)
	if clock == 0 || uptime == 0 {
		return nil, OnHost(t.Name, fmt.Errorf("look: the host does not tell its time"))
	}
	o.epoch, o.clock = clock-uptime, clock
	return o, nil
}

// about appends the names to a command that asks about them. Without any it asks nothing: most of
// these commands would tell all that there is.
func about(names []string, argv ...string) []string {
	if len(names) == 0 {
		return []string{"true"}
	}
	return append(argv, names...)
}

func (o *observation) readFiles(stats, sums string) {
	for rec := range strings.SplitSeq(stats, "\x00") {
		f := strings.SplitN(rec, "\t", 6)
		if len(f) != 6 {
			continue
		}
		mode, _ := strconv.ParseUint(f[1], 8, 32)
		o.files[f[5]] = fileState{kind: f[0], mode: mode, owner: f[2], group: f[3],
			changed: seconds(f[4])}
	}
	for rec := range strings.SplitSeq(sums, "\x00") {
		sum, name, ok := strings.Cut(rec, "  ")
		if fs, known := o.files[name]; ok && known {
			fs.sha256 = sum
			o.files[name] = fs
		}
	}
}

func (o *observation) readUnits(show string) {
	for id, kv := range output.Units(show) {
		u := unitState{load: kv["LoadState"], active: kv["ActiveState"], file: kv["UnitFileState"],
			needReload: kv["NeedDaemonReload"] == "yes",
			entered:    microseconds(kv["ActiveEnterTimestampMonotonic"]),
			moved:      microseconds(kv["StateChangeTimestampMonotonic"])}
		for _, name := range append(strings.Fields(kv["Names"]), id) {
			o.units[name] = u
		}
	}
}

func (o *observation) readPackages(list string) {
	for line := range strings.Lines(list) {
		f := strings.Split(strings.TrimSpace(line), "\t")
		if len(f) != 3 {
			continue
		}
		// The same package for two architectures: one installed is enough.
		if old, ok := o.packages[f[0]]; !ok || old.status != "installed" {
			o.packages[f[0]] = packageState{f[1], f[2]}
		}
	}
}

// since is a moment of the host's wall clock by this machine's, whose clocks may differ.
func (o *observation) since(seconds float64) time.Time {
	return o.asked.Add(time.Duration((seconds - o.clock) * float64(time.Second))).UTC().Round(
		time.Second)
}

// was is what is known of a path before it is changed.
func (o *observation) was(path string) *Was {
	f, exists := o.files[path]
	if !exists {
		return nil
	}
	return &Was{Changed: o.since(f.changed), Owner: f.owner + ":" + f.group}
}

// newer reports whether one of the files changed after the given monotonic moment of the host.
func (o *observation) newer(paths []string, monotonic float64) bool {
	return slices.ContainsFunc(paths, func(p string) bool {
		f, ok := o.files[p]
		return ok && f.changed > o.epoch+monotonic
	})
}

func seconds(s string) float64 {
	f := strings.Fields(s)
	if len(f) == 0 {
		return 0
	}
	n, _ := strconv.ParseFloat(f[0], 64)
	return n
}

func microseconds(s string) float64 {
	n, _ := strconv.ParseFloat(s, 64)
	return n / 1e6
}
