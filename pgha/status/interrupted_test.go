package status

import (
	"strings"
	"testing"
	"time"

	"github.com/pgha/toolkit/pgha/record"
)

// TestInterrupted: an operation is interrupted when it is the last of all that the hosts have
// recorded, none has its end, and nobody is at it.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	begun := record.Operation{ID: "a", Time: now.Add(-time.Minute), Verb: "switchover", Holder: "x"}
	ended := begun
	ended.Finished = true
	before := record.Operation{ID: "b", Time: now.Add(-time.Hour), Verb: "apply", Finished: true}
	later := record.Operation{ID: "c", Time: now.Add(-30 * time.Second), Verb: "restart",
		Finished: true}
	fresh := begun
	fresh.Time = now.Add(-time.Second)
	for name, c := range map[string]struct {
		hosts  []record.Operation
		change func(*Status)
		want   bool
	}{
		"nothing recorded":             {[]record.Operation{{}, {}}, nil, false},
		"killed":                       {[]record.Operation{begun, begun}, nil, true},
		"one host lacks its beginning": {[]record.Operation{before, begun}, nil, true},
		"one host has its end":         {[]record.Operation{begun, ended, begun}, nil, false},
		"another one came later":       {[]record.Operation{begun, later}, nil, false},
		"it goes on": {[]record.Operation{begun}, func(s *Status) {
			s.Operation = &OperationStatus{}
		}, false},
		"it may go on": {[]record.Operation{begun}, func(s *Status) {
			s.Errors["etcd"] = "no answer"
		}, false},
		"it has just begun": {[]record.Operation{fresh}, nil, false},
	} {
		s := Status{Time: now, Errors: map[string]string{}}
		if c.change != nil {
			c.change(&s)
		}
		said := map[string]hostSaid{}
		for i, r := range c.hosts {
			said[string(rune('a'+i))] = hostSaid{last: r}
		}
		s.interrupted(said)
		if (s.Interrupted != nil) != c.want {
			t.Errorf("%s: %+v", name, s.Interrupted)
		}
		if s.Healthy() != (Status{Time: now, Errors: s.Errors}).Healthy() {
			t.Errorf("%s: it makes the cluster unhealthy", name)
		}
	}
}

// TestLastRecord: what a power loss has cut is no record.
func TestLastRecord(t *testing.T) {
	t.Parallel()
	if r := lastRecord(`{"id":"a","verb":"switchover","finished":false}` + "\n"); r.ID != "a" ||
		r.Verb != "switchover" || r.Finished {
		t.Errorf("%+v", r)
	}
	for _, text := range []string{"", `{"id":"a","verb":`, "tail: no such file"} {
		if r := lastRecord(text); r.ID != "" {
			t.Errorf("%q: %+v", text, r)
		}
	}
}

// TestInterruptedSays: the sentence names who leads only where somebody was promoted since.
func TestInterruptedSays(t *testing.T) {
	t.Parallel()
	i := Interrupted{Verb: "switchover", Holder: "root@ops", Since: time.Now()}
	if got := i.String(); !strings.Contains(got, "switchover, begun by root@ops at ") ||
		!strings.HasSuffix(got, "nobody was promoted since") {
		t.Error(got)
	}
	i.Leader, i.LedSince = "postgresql-02", time.Now()
	if got := i.String(); !strings.Contains(got, "postgresql-02 was promoted at ") {
		t.Error(got)
	}
}
