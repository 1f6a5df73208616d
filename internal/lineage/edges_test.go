package lineage

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestParseStateOfOddRecords: what is no record, or not complete, is an error and never a directory
// that knows of nothing; a later format is named as that, whatever else is in it.
func TestParseStateOfOddRecords(t *testing.T) {
	t.Parallel()
	whole := func(change string) []byte {
		text, err := json.Marshal(after(2))
		if err != nil {
			t.Fatal(err)
		}
		var record map[string]any
		if err := errors.Join(json.Unmarshal(text, &record),
			json.Unmarshal([]byte(change), &record)); err != nil {
			t.Fatal(err)
		}
		text, err = json.Marshal(record)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	for name, tt := range map[string]struct {
		text []byte
		want error // errNoFormat stands for any
	}{
		"none":                 {nil, nil},
		"whole":                {whole(`{}`), nil},
		"of the first format":  {whole(`{"format":1}`), nil},
		"a field of later":     {whole(`{"color":"red"}`), nil},
		"empty":                {[]byte{}, errNoFormat},
		"null":                 {[]byte("null"), errNoFormat},
		"a list":               {[]byte("[]"), errNoFormat},
		"nothing in it":        {[]byte("{}"), errNoFormat},
		"cut off":              {whole(`{}`)[:30], errNoFormat},
		"without a format":     {whole(`{"format":null}`), errNoFormat},
		"a format of before 1": {whole(`{"format":0}`), errNoFormat},
		"a negative format":    {whole(`{"format":-1}`), errNoFormat},
		"a format of words":    {whole(`{"format":"two"}`), errNoFormat},
		"a later format":       {whole(fmt.Sprintf(`{"format":%d}`, Format+1)), ErrNewer},
		"much later, and less": {[]byte(`{"format":99}`), ErrNewer},
		"no generation":        {whole(`{"generation":0}`), errNoFormat},
		"a negative one":       {whole(`{"generation":-5}`), errNoFormat},
		"no stamps":            {whole(`{"stamps":[]}`), errNoFormat},
		"no identity":          {whole(`{"id":""}`), errNoFormat},
		"addresses of words":   {whole(`{"addresses":"192.0.2.11"}`), errNoFormat},
	} {
		s, err := ParseState(tt.text)
		switch {
		case tt.want == nil && (err != nil || s.Known() != (tt.text != nil)):
			t.Errorf("%s: %+v, %v", name, s, err)
		case tt.want != nil && err == nil,
			errors.Is(tt.want, ErrNewer) != errors.Is(err, ErrNewer):
			t.Errorf("%s: %+v, %v", name, s, err)
		}
	}
}

// TestParseNotesAndCopies: a host that remembers nothing is one thing, and one whose record is
// damaged another.
func TestParseNotesAndCopies(t *testing.T) {
	t.Parallel()
	s := after(3)
	note, err := json.Marshal(s.Note("alice@desk"))
	if err != nil {
		t.Fatal(err)
	}
	record := s.CopyOf("alice@desk")
	record.Digest, record.Sealed = "d", "s"
	kept, err := json.Marshal(record)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := ParseNote(note); err != nil || !s.Current(n) {
		t.Errorf("%+v, %v", n, err)
	}
	if c, err := ParseCopy(kept); err != nil || !c.There() || !c.Same(record) {
		t.Errorf("%+v, %v", c, err)
	}
	if n, err := ParseNote(nil); err != nil || n.ID != "" {
		t.Errorf("%+v, %v", n, err)
	}
	for _, none := range [][]byte{nil, {}} {
		if c, err := ParseCopy(none); err != nil || c.There() {
			t.Errorf("%+v, %v", c, err)
		}
	}
	for _, text := range []string{"{}", "null", "[]", "x", `{"id":"a"}`, `{"stamp":"a"}`,
		`{"id":"a","stamp":"b","generation":"two"}`} {
		if _, err := ParseNote([]byte(text)); err == nil {
			t.Errorf("%s is a note", text)
		}
		if _, err := ParseCopy([]byte(text)); err == nil {
			t.Errorf("%s is a copy", text)
		}
	}
	for _, later := range []string{`{"format":2}`, `{"format":2,"id":"a","stamp":"b"}`} {
		_, noteErr := ParseNote([]byte(later))
		_, copyErr := ParseCopy([]byte(later))
		if !errors.Is(noteErr, ErrNewer) || !errors.Is(copyErr, ErrNewer) {
			t.Errorf("%s: %v, %v", later, noteErr, copyErr)
		}
	}
	for i := range len(note) {
		if n, err := ParseNote(note[:i]); err == nil {
			t.Errorf("%q is a note: %+v", note[:i], n)
		}
	}
}

// TestJudgeBeyondTheStamps: of generations that are longer ago than stamps are kept nobody can say
// whose they were, and of the oldest that is kept everybody.
func TestJudgeBeyondTheStamps(t *testing.T) {
	t.Parallel()
	s := after(kept + 10)
	if len(s.Stamps) != kept {
		t.Fatalf("%d stamps", len(s.Stamps))
	}
	oldest := s.Generation - kept + 1
	for generation, want := range map[int]error{
		oldest - 1: nil, oldest: ErrDiverged, s.Generation: ErrDiverged, s.Generation + 1: ErrOlder,
		1: nil, 0: nil, -1: nil,
	} {
		n := Note{ID: s.ID, Generation: generation, Stamp: "another's", By: "bob@desk"}
		if err := s.Judge(n); !errors.Is(err, want) {
			t.Errorf("generation %d, stamps from %d on: %v, want %v", generation, oldest, err, want)
		}
	}
	if err := s.Judge(Note{ID: s.ID, Generation: oldest, Stamp: s.Stamps[0]}); err != nil {
		t.Errorf("the oldest that is known: %v", err)
	}
	// Next does not change what it was made of.
	before := slices.Clone(s.Stamps)
	s.Next("demo", hosts)
	s.Next("demo", hosts)
	if !slices.Equal(before, s.Stamps) {
		t.Error("the stamps of a state have changed under it")
	}
}

// TestJudgeUseOfOtherHosts: hosts may go one after the other, and not all at once; names are names.
func TestJudgeUseOfOtherHosts(t *testing.T) {
	t.Parallel()
	s := after(1)
	for name, tt := range map[string]struct {
		cluster   string
		addresses []string
		want      error
	}{
		"the same":         {"demo", hosts, nil},
		"one is left":      {"demo", []string{hosts[2], "192.0.2.99"}, nil},
		"none is left":     {"demo", []string{"192.0.2.99"}, ErrOtherCluster},
		"no hosts":         {"demo", nil, ErrOtherCluster},
		"another name":     {"Demo", hosts, ErrOtherCluster},
		"nearly one of it": {"demo", []string{"192.0.2.1", "192.0.2.111"}, ErrOtherCluster},
	} {
		if err := s.JudgeUse(tt.cluster, tt.addresses); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v", name, err)
		}
		if err := (State{}).JudgeUse(tt.cluster, tt.addresses); err != nil {
			t.Errorf("%s, of a new directory: %v", name, err)
		}
	}
}

// TestJudgeFoundHalves: what is not known, or not found, speaks against nothing; of two differences
// the databases' is told.
func TestJudgeFoundHalves(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		known, found [2]string // system identifier, etcd's cluster
		want         error
	}{
		{[2]string{}, [2]string{"7", "a"}, nil}, {[2]string{"7", "a"}, [2]string{}, nil},
		{[2]string{"7", "a"}, [2]string{"7", "a"}, nil},
		{[2]string{"7", "a"}, [2]string{"8", "a"}, ErrOtherData},
		{[2]string{"7", "a"}, [2]string{"", "b"}, ErrOtherEtcd},
		{[2]string{"7", "a"}, [2]string{"8", "b"}, ErrOtherData},
		{[2]string{"", "a"}, [2]string{"8", "b"}, ErrOtherEtcd},
	} {
		s := State{SystemIdentifier: tt.known[0], EtcdCluster: tt.known[1]}
		err := s.JudgeFound(tt.found[0], tt.found[1])
		if !errors.Is(err, tt.want) || err != nil && !strings.Contains(err.Error(), tt.found[1]) {
			t.Errorf("%v: %v", fmt.Sprint(tt.known, tt.found), err)
		}
	}
}

// TestRecipients: copies are the same for the same recipients in any order, and who has left is
// named.
func TestRecipients(t *testing.T) {
	t.Parallel()
	a := Copy{Note: Note{ID: "x"}, Digest: "d", Recipients: []string{"one", "two"}}
	for name, tt := range map[string]struct {
		change func(*Copy)
		same   bool
	}{
		"in another order":  {func(c *Copy) { c.Recipients = []string{"two", "one"} }, true},
		"without one":       {func(c *Copy) { c.Recipients = []string{"one"} }, false},
		"one twice":         {func(c *Copy) { c.Recipients = []string{"one", "one"} }, false},
		"other files":       {func(c *Copy) { c.Digest = "e" }, false},
		"another directory": {func(c *Copy) { c.ID = "y" }, false},
		"sealed anew":       {func(c *Copy) { c.Sealed = "other" }, true},
	} {
		b := a
		if tt.change(&b); a.Same(b) != tt.same || b.Same(a) != tt.same {
			t.Errorf("%s: %v", name, a.Same(b))
		}
	}
	if got := a.Removed([]string{"two", "three"}); !slices.Equal(got, []string{"one"}) ||
		!slices.Equal(a.Recipients, []string{"one", "two"}) {
		t.Errorf("%v, of %v", got, a.Recipients)
	}
	if got := a.Removed(nil); len(got) != 2 {
		t.Errorf("nobody is left: %v", got)
	}
}
