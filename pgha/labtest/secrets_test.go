package labtest

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// canary makes a password that breaks whatever quotes it carelessly. Its core, which no quoting
// changes, is what is searched for.
func canary() (password, core string) {
	core = "canary" + rand.Text()
	return `it's "` + core + `" $(id) ` + "`id`" + ` %s a:b\c # $$ ß密码`, core
}

// needles are secrets by what they are, as a search finds them.
type needles map[string][]byte

// addCore adds the core of a password, also as part of any Base64 text.
func (n needles) addCore(name, core string) {
	n[name] = []byte(core)
	for shift := range 3 {
		// The first and last characters mix with what stands beside the core.
		encoded := base64.StdEncoding.EncodeToString(append(make([]byte, shift), core...))
		n[fmt.Sprintf("%s in Base64 %d", name, shift)] = []byte(encoded[4 : len(encoded)-4])
	}
}

// addKeys adds every line of the private keys below dir.
func (n needles) addKeys(t *testing.T, dir string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.key"))
	if err != nil || len(files) == 0 {
		t.Fatalf("find private keys in %s: %v", dir, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
			// A short last line could be anybody's.
			if len(line) >= 24 && !strings.HasPrefix(line, "-----") {
				n[fmt.Sprintf("%s line %d", file, i+1)] = []byte(line)
			}
		}
	}
}

// in returns the names of the secrets that text holds.
func (n needles) in(text []byte) []string {
	var found []string
	for name, needle := range n {
		if bytes.Contains(text, needle) {
			found = append(found, name)
		}
	}
	slices.Sort(found)
	return found
}

// check fails the test if text holds a secret.
func (n needles) check(t *testing.T, where string, text []byte) {
	t.Helper()
	for _, name := range n.in(text) {
		t.Errorf("%s shows %s", where, name)
	}
}

// processWatch looks at the arguments and environment of every process of the machine, those of the
// hosts included.
type processWatch struct {
	needles needles
	decoy   string
	stop    chan struct{}
	done    sync.WaitGroup
	looks   atomic.Int64
	found   map[string]bool
}

const (
	lookEvery = 10 * time.Millisecond
	// A process is looked at each time while it is young: it may yet become another program. Later
	// each fiftieth time.
	youngFor  = 20
	lookAgain = 50
)

// watchProcesses begins to look. It runs a decoy in a host, so that a watch that is blind is found
// out.
func (n needles) watchProcesses(t *testing.T, s site, host string) *processWatch {
	t.Helper()
	w := &processWatch{needles: maps.Clone(n), decoy: "decoy", stop: make(chan struct{}),
		found: map[string]bool{}}
	mark := rand.Text()
	w.needles[w.decoy] = []byte(mark)
	w.done.Go(w.run)
	s.mustInHost(t, host, "DECOY="+mark+" sleep 0.5")
	return w
}

func (w *processWatch) run() {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	ages := map[string]int{}
	for {
		select {
		case <-w.stop:
			return
		case <-tick.C:
			w.look(ages)
			w.looks.Add(1)
		}
	}
}

func (w *processWatch) look(ages map[string]int) {
	proc, err := os.Open("/proc")
	if err != nil {
		return
	}
	names, _ := proc.Readdirnames(-1)
	proc.Close()
	alive := map[string]bool{}
	for _, pid := range names {
		if pid[0] < '0' || pid[0] > '9' {
			continue
		}
		alive[pid] = true
		age := ages[pid]
		ages[pid]++
		if age > youngFor && age%lookAgain != 0 {
			continue
		}
		for _, file := range []string{"cmdline", "environ"} {
			text, err := os.ReadFile("/proc/" + pid + "/" + file)
			if err != nil || len(text) == 0 {
				continue
			}
			for _, name := range w.needles.in(text) {
				program, _ := os.ReadFile("/proc/" + pid + "/comm")
				w.found[fmt.Sprintf("%s of process %s shows %s", file, bytes.TrimSpace(program),
					name)] = true
			}
		}
	}
	maps.DeleteFunc(ages, func(pid string, _ int) bool { return !alive[pid] })
}

// end stops the watch and fails the test for what it saw.
func (w *processWatch) end(t *testing.T, took time.Duration) {
	t.Helper()
	close(w.stop)
	w.done.Wait()
	t.Logf("looked at the processes %d times in %s", w.looks.Load(), took.Round(time.Second))
	if least := int64(took / lookEvery / 10); w.looks.Load() < least {
		t.Errorf("looked at the processes only %d times, want %d at least", w.looks.Load(), least)
	}
	seen := false
	for what := range w.found {
		if strings.HasSuffix(what, w.decoy) {
			seen = seen || strings.HasPrefix(what, "environ")
			continue
		}
		t.Error(what)
	}
	if !seen {
		t.Error("the watch did not see the environment of a process inside a host")
	}
}

// checkDisk looks through every file of a host that was changed since the lab was started: no CA's
// key in any of them, and no secret at all in one that everybody may read.
func checkDisk(t *testing.T, s site, host string, since time.Time, all, cas needles) {
	t.Helper()
	h, err := s.Host(host)
	if err != nil {
		t.Fatal(err)
	}
	root := fmt.Sprintf("/proc/%d/root", h.PID)
	files := 0
	walk := func(dir string) error {
		closed := map[string]bool{}
		return filepath.WalkDir(filepath.Join(root, dir),
			func(path string, d fs.DirEntry, err error) error {
				if err != nil {
					return nil // it went away; nothing is closed to root
				}
				info, err := d.Info()
				if err != nil {
					return nil
				}
				hidden := closed[filepath.Dir(path)]
				if d.IsDir() {
					closed[path] = hidden || info.Mode()&0o001 == 0
					return nil
				}
				stat, ok := info.Sys().(*syscall.Stat_t)
				if !ok || !info.Mode().IsRegular() || time.Unix(stat.Ctim.Unix()).Before(since) {
					return nil
				}
				text, err := os.ReadFile(path)
				if err != nil {
					return nil
				}
				files++
				where := host + ":" + strings.TrimPrefix(path, root)
				cas.check(t, where, text)
				if !hidden && info.Mode()&0o004 != 0 {
					all.check(t, where+", which everybody may read,", text)
				}
				return nil
			})
	}
	for _, dir := range []string{"etc", "home", "opt", "root", "run", "srv", "tmp", "usr/local",
		"var"} {
		if err := walk(dir); err != nil {
			t.Error(err)
		}
	}
	if files < 10 {
		t.Errorf("%s: only %d changed files were found to look through", host, files)
	}
}
