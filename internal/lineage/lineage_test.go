package lineage

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

var hosts = []string{"192.0.2.11", "192.0.2.12", "192.0.2.13"}

// after is a state directory that was changed so often.
func after(changes int) State {
	var s State
	for range changes {
		s = s.Next("demo", hosts)
	}
	return s
}

func TestJudge(t *testing.T) {
	t.Parallel()
	own := after(5)
	older := own
	own = own.Next("demo", hosts)
	twin := older.Next("demo", hosts) // the same copy, changed by somebody else
	for name, c := range map[string]struct {
		state State
		note  Note
		want  error
	}{
		"a new directory and new hosts": {State{}, Note{}, nil},
		"new hosts":                     {own, Note{}, nil},
		"as it was left":                {own, own.Note("a@b"), nil},
		"hosts that were not told of the last change": {own, older.Note("a@b"), nil},
		"an older copy": {older, own.Note("a@b"), ErrOlder},
		// another ID
		"a much older copy": {
			after(1), func() Note { n := own.Note("a@b"); return n }(), ErrForeign,
		},
		"two copies, each changed once": {twin, own.Note("a@b"), ErrDiverged},
		"a copy that was changed more often than the one": {twin.Next("demo", hosts),
			own.Note("a@b"), ErrDiverged},
		"a stranger's":         {after(6), own.Note("a@b"), ErrForeign},
		"an emptied directory": {State{}, own.Note("a@b"), ErrForeign},
	} {
		if err := c.state.Judge(c.note); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if c.want != nil && !strings.Contains(c.state.Judge(c.note).Error(), "a@b") {
			t.Errorf("%s: nobody is named in %v", name, c.state.Judge(c.note))
		}
	}
}

// TestLongAgo: a host that was away for longer than stamps are kept is taken back.
func TestLongAgo(t *testing.T) {
	t.Parallel()
	s := after(1)
	note := s.Note("a@b")
	for range 3 * kept {
		s = s.Next("demo", hosts)
	}
	if err := s.Judge(note); err != nil || len(s.Stamps) != kept {
		t.Errorf("%v, %d stamps", err, len(s.Stamps))
	}
}

func TestJudgeUse(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		cluster   string
		addresses []string
		want      error
	}{
		"the same":    {"demo", hosts, nil},
		"a host more": {"demo", append([]string{"192.0.2.14"}, hosts...), nil},
		"one host stays": {"demo",
			[]string{"192.0.2.12", "198.51.100.1", "198.51.100.2"}, nil},
		"another name":                   {"shop", hosts, ErrOtherCluster},
		"other hosts, the same name":     {"demo", []string{"198.51.100.1"}, ErrOtherCluster},
		"no database host (never valid)": {"demo", nil, ErrOtherCluster},
	} {
		if err := after(2).JudgeUse(c.cluster, c.addresses); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if err := (State{}).JudgeUse("any", nil); err != nil {
		t.Error(err)
	}
}

func TestJudgeFound(t *testing.T) {
	t.Parallel()
	known := after(1)
	known.SystemIdentifier, known.EtcdCluster = "7001", "cdf8"
	for name, c := range map[string]struct {
		state        State
		system, etcd string
		want         error
	}{
		"the same":                        {known, "7001", "cdf8", nil},
		"nothing is there":                {known, "", "", nil},
		"nothing is known":                {after(1), "7002", "beef", nil},
		"other databases":                 {known, "7002", "cdf8", ErrOtherData},
		"all is another cluster's":        {known, "7002", "beef", ErrOtherData},
		"etcd was made anew":              {known, "7001", "beef", ErrOtherEtcd},
		"etcd was made anew and is empty": {known, "", "beef", ErrOtherEtcd},
	} {
		err := c.state.JudgeFound(c.system, c.etcd)
		if !errors.Is(err, c.want) || c.want == nil && err != nil {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	text, err := json.Marshal(after(3))
	if err != nil {
		t.Fatal(err)
	}
	if s, err := ParseState(text); err != nil || s.Generation != 3 {
		t.Errorf("%+v, %v", s, err)
	}
	for text, want := range map[string]string{
		"":                          "JSON",
		"null":                      "not complete",
		"{}":                        "not complete",
		`{"format":4}`:              "later version",
		`{"format":-1}`:             "not complete",
		`{"format":1,"id":"x"}`:     "not complete",
		"{\"format\":1,\"cluster\"": "JSON",
		"\x00\x00\x00":              "invalid character",
	} {
		if _, err := ParseState([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("state %q: %v, want %q", text, err, want)
		}
		if _, err := ParseNote([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("note %q: %v, want %q", text, err, want)
		}
	}
	if _, err := ParseState(nil); err != nil {
		t.Error(err)
	}
}
