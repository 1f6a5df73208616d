package etcd

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// TestSwap compares and sets with a real etcd: the second of two who have read the same writes
// nothing, one who repeats what was done hears that it is done, and a value of a megabyte goes in.
func TestSwap(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1)
	if _, _, err := Value(t.Context(), c.Options, "k"); !errors.Is(err, ErrUnhealthy) {
		t.Errorf("before there is one: %v", err)
	}
	c.up()
	value, revision, err := Value(t.Context(), c.Options, "k")
	if err != nil || value != "" || revision != 0 {
		t.Fatalf("nothing: %q, %d, %v", value, revision, err)
	}
	try := func(s Swap) bool {
		t.Helper()
		done, err := s.Try(t.Context(), c.Options)
		if err != nil {
			t.Fatal(err)
		}
		return done
	}
	large := strings.Repeat("x", 1<<20)
	first := Swap{Key: "k", Value: "anna 1", Also: map[string]string{"v/1": large, "v/2": "two"}}
	for _, when := range []string{"once", "and again"} {
		if !try(first) {
			t.Errorf("the first was not written, %s", when)
		}
	}
	if try(Swap{Key: "k", Value: "bert 1", Also: map[string]string{"v/1": "bert"}}) {
		t.Error("the second was written over the first")
	}
	value, revision, err = Value(t.Context(), c.Options, "k")
	if err != nil || value != "anna 1" || revision == 0 {
		t.Fatalf("%q, %d, %v", value, revision, err)
	}
	if kept, _, err := Value(t.Context(), c.Options, "v/1"); err != nil || kept != large {
		t.Errorf("%d bytes of %d, %v", len(kept), len(large), err)
	}
	if !try(Swap{Key: "k", Value: "anna 2", Revision: revision,
		Also:   map[string]string{"v/3": "three"},
		Remove: [][2]string{{"v/0", "v/2"}, {"v/4", "v/:"}}}) {
		t.Error("the next was not written")
	}
	names, err := Names(t.Context(), c.Options, "v/")
	if err != nil || !slices.Equal(names, []string{"2", "3"}) {
		t.Errorf("%q, %v", names, err)
	}
}
