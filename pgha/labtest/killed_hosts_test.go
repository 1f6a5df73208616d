package labtest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/pgha/lab"
)

// hostChange is a change of hosts. Those that come with it are in the specification's file before
// `host add`; touched are all that come or go.
type hostChange struct {
	args    []string
	come    []lab.Host
	touched []string
}

// testAddKilled adds two databases by runs that are killed with SIGKILL at the beginning of each of
// their steps, when the record says that the one before has ended. Taken back the cluster is what
// it was before; continued, what a run makes of it that nobody disturbs.
func testAddKilled(t *testing.T, s site, more []lab.Host) {
	rarely(t)
	names := []string{more[0].Name, more[1].Name}
	s.killedAtEach(t, hostChange{append([]string{"host", "add"}, names...), more[:2], names},
		hostChange{append([]string{"host", "remove", "--clean"}, names...), nil, names})
}

// killedAtEach makes a change under a writer: killed at each step and taken back, undisturbed, and
// killed at each step and continued. other takes it to its beginning again.
func (s site) killedAtEach(t *testing.T, c hostChange, other hostChange) {
	t.Helper()
	s.underWriter(t, func() {
		text, before := s.specText(t), s.shape(t, c.touched)
		steps := s.stepsOf(t, c)
		for i := range steps {
			s.withComing(t, c)
			s.killAtStep(t, i+1, steps, c.args)
			s.verb(t, nil, "change", "undo")
			if got := s.specText(t); got != text {
				t.Errorf("taken back from step %d the specification is\n%s", i+1, got)
			}
			s.checkHosts(t)
			s.checkShape(t, fmt.Sprintf("taken back from step %d", i+1), before, c.touched)
		}

		s.changeHosts(t, c)
		s.checkHosts(t)
		end := s.shape(t, c.touched)
		s.changeHosts(t, other)

		s.withComing(t, c)
		args := c.args
		for i := range steps {
			s.killAtStep(t, i+1, steps, args)
			args = []string{"change", "continue"}
		}
		s.verb(t, nil, args...)
		s.checkHosts(t)
		s.checkShape(t, "continued", end, c.touched)
		for _, name := range c.touched {
			if _, err := s.spec(t).Host(name); err != nil {
				s.checkGone(t, name)
			}
		}
		s.changeHosts(t, other)
	})
}

// withComing writes into the specification's file what a change begins with.
func (s site) withComing(t *testing.T, c hostChange) {
	t.Helper()
	if len(c.come) > 0 {
		s.withHosts(t, c.come...)
	}
}

// changeHosts makes a change that nobody disturbs.
func (s site) changeHosts(t *testing.T, c hostChange) {
	t.Helper()
	s.withComing(t, c)
	s.verb(t, nil, c.args...)
}

// stepsOf is how many steps a change has.
func (s site) stepsOf(t *testing.T, c hostChange) int {
	t.Helper()
	text := s.specText(t)
	s.withComing(t, c)
	var dry struct{ Changes []json.RawMessage }
	got := s.cli(t, append(slices.Clone(c.args), "--dry-run", "--output", "json")...)
	if err := json.Unmarshal([]byte(got.stdout), &dry); err != nil || len(dry.Changes) == 0 {
		t.Fatalf("the plan: %v\n%s%s", err, got.stdout, got.stderr)
	}
	writeFile(t, s.specFile, []byte(text))
	return len(dry.Changes)
}

// killAtStep kills a run when it begins with a step.
func (s site) killAtStep(t *testing.T, step, steps int, args []string) {
	t.Helper()
	said := fmt.Sprintf("step %d of %d:", step, steps)
	if !s.killWhen(t, said, append(slices.Clone(args), "--yes")...) {
		t.Fatalf("%q was not said by %v", said, args)
	}
}

// shape is what is on the hosts of the specification: path, owner, mode and content of each managed
// file. Of certificates, which are issued anew, and on hosts that come or go, whose etcd joins and
// does not found, it has no content.
func (s site) shape(t *testing.T, touched []string) map[string][]string {
	t.Helper()
	all := withoutTimes(digests(t, s))
	maps.DeleteFunc(all, func(host string, _ []string) bool {
		_, err := s.spec(t).Host(host)
		return err != nil
	})
	for host, lines := range all {
		all[host] = slices.DeleteFunc(lines, func(line string) bool {
			return strings.Contains(line, "/.pgha.") // what a killed run was sending goes by itself
		})
		for i, line := range all[host] {
			f := strings.Fields(line)
			if len(f) == 4 && (slices.Contains(touched, host) || strings.Contains(f[0], "/certs/")) {
				all[host][i] = strings.Join(f[:3], " ")
			}
		}
	}
	return all
}

// checkShape compares what is on the hosts with what was.
func (s site) checkShape(t *testing.T, when string, want map[string][]string, touched []string) {
	t.Helper()
	if diff := cmp.Diff(want, s.shape(t, touched)); diff != "" {
		t.Errorf("%s: the hosts differ (-want +got):\n%s", when, diff)
	}
}
