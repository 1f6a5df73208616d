package status

import (
	"fmt"
	"testing"
	"time"

	"github.com/pgha/toolkit/pgha/backup"
	"github.com/pgha/toolkit/pgha/record"
	"github.com/pgha/toolkit/pgha/spec"
)

// TestPromisesOfBackups at their bounds: as old as promised is not too old, and the future no age.
func TestPromisesOfBackups(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	slo := spec.SLO{BackupAge: 24 * time.Hour, RestoreProofAge: 7 * 24 * time.Hour}
	set := func(age time.Duration) backup.Set { return backup.Set{Stop: now.Add(-age)} }
	proof := func(age time.Duration, good bool) *backup.Proof {
		return &backup.Proof{Began: now.Add(-age), Proven: good}
	}
	for name, tt := range map[string]struct {
		sets          []backup.Set
		proof         *backup.Proof
		old, unproven bool
	}{
		"none":               {nil, nil, true, false},
		"none, and a proof":  {nil, proof(0, true), true, false},
		"as old as promised": {[]backup.Set{set(24 * time.Hour)}, nil, false, false},
		"a second more":      {[]backup.Set{set(24*time.Hour + time.Second)}, nil, true, false},
		"of a clock that is ahead": {[]backup.Set{set(-time.Hour)}, proof(-time.Hour, true), false,
			false},
		"proven long ago":           {[]backup.Set{set(0)}, proof(8*24*time.Hour, true), false, true},
		"proven as promised":        {[]backup.Set{set(0)}, proof(7*24*time.Hour, true), false, false},
		"never proven, and new":     {[]backup.Set{set(time.Hour)}, nil, false, false},
		"never proven in all weeks": {[]backup.Set{set(8 * 24 * time.Hour), set(0)}, nil, false, true},
		"the last proof failed":     {[]backup.Set{set(0)}, proof(0, false), false, true},
		"the last failed long ago":  {[]backup.Set{set(0)}, proof(9*24*time.Hour, false), false, true},
	} {
		s := BackupStatus{Proof: tt.proof}
		s.hold(slo, backup.Inventory{Sets: tt.sets}, now)
		if s.TooOld != tt.old || s.Unproven != tt.unproven ||
			(len(s.Warnings) > 0) != (tt.old || tt.unproven) {
			t.Errorf("%s: too old %v, unproven %v: %q", name, s.TooOld, s.Unproven, s.Warnings)
		}
	}
}

// TestLastRecords: a line that a power loss has cut is none, and the end of an operation counts
// even where it has the time of its beginning.
func TestLastRecords(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	for _, text := range []string{"", "{", `{"id":"a","ti`, "null", `["a"]`} {
		if r := lastRecord(text); r.ID != "" {
			t.Errorf("%q: %+v", text, r)
		}
	}
	begun := record.Operation{ID: "a", Verb: "restart", Holder: "alice@desk", Time: at}
	ended := begun
	ended.Finished = true
	newer := record.Operation{ID: "b", Verb: "apply", Time: at.Add(time.Second)}
	for name, tt := range map[string]struct {
		last []record.Operation
		verb string
		s    Status
	}{
		"begun":             {[]record.Operation{begun, {}}, "restart", Status{}},
		"ended on one host": {[]record.Operation{begun, ended, begun}, "", Status{}},
		"a later one":       {[]record.Operation{begun, newer, ended}, "apply", Status{}},
		"somebody is at it": {[]record.Operation{begun}, "", Status{Operation: &OperationStatus{}}},
		"etcd does not tell": {[]record.Operation{begun}, "",
			Status{Errors: map[string]string{"etcd": "x"}}},
		"nobody knows": {nil, "", Status{}},
	} {
		for i := range max(1, len(tt.last)) { // whichever host is looked at first
			said := map[string]hostSaid{}
			for n, r := range tt.last {
				said[fmt.Sprint((n+i)%len(tt.last))] = hostSaid{last: r}
			}
			s := tt.s
			s.Time = at.Add(time.Minute)
			s.interrupted(said)
			if (s.Interrupted == nil) != (tt.verb == "") || s.Interrupted != nil &&
				s.Interrupted.Verb != tt.verb {
				t.Errorf("%s: %+v", name, s.Interrupted)
			}
		}
	}
	s := Status{Time: at.Add(quiet - time.Millisecond)}
	if s.interrupted(map[string]hostSaid{"pg1": {last: begun}}); s.Interrupted != nil {
		t.Errorf("one that has just begun: %+v", s.Interrupted)
	}
}
