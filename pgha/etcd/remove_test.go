package etcd

import (
	"errors"
	"slices"
	"testing"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/remote"
)

// names are the members that a living one knows.
func (c *cluster) names(via int) []string {
	c.t.Helper()
	one := c.Options
	one.Members = c.Members[via : via+1]
	known, err := ReadStore(c.t.Context(), one, "/")
	if err != nil {
		c.t.Fatal(err)
	}
	var list []string
	for _, m := range known.Members {
		list = append(list, m.Name)
	}
	slices.Sort(list)
	return list
}

// TestRemove takes members out of a real etcd, living and dead, down to the last one.
func TestRemove(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3)
	var told []remote.Change
	for i := range c.Members {
		c.Members[i].Target.OnChange = func(ch remote.Change) { told = append(told, ch) }
	}
	c.up()
	if err := Remove(t.Context(), c.Options, "m9"); errs.KindOf(err) != errs.NotFound {
		t.Errorf("a member that is none: %v", err)
	}
	planned := c.Options
	planned.Members = slices.Clone(c.Members)
	for i, m := range planned.Members {
		target := *m.Target
		target.Executor = remote.Plan(target.Executor)
		planned.Members[i].Target = &target
	}
	if err := Remove(t.Context(), planned, "m3"); err != nil {
		t.Fatal(err)
	}
	if got := c.names(0); len(got) != 3 || len(told) != 1 || !told[0].Planned {
		t.Errorf("planned: %v, %+v", got, told)
	}

	// Dead, and again: two of three vote.
	c.kill(2)
	for range 2 {
		if err := Remove(t.Context(), c.Options, "m3"); err != nil {
			t.Fatal(err)
		}
	}
	if got := c.names(0); !slices.Equal(got, []string{"m1", "m2"}) || len(told) != 2 ||
		told[1].Host != "pg3" || told[1].Action != "removed" || told[1].Planned {
		t.Errorf("dead: %v, %+v", got, told)
	}
	c.Members = c.Members[:2]
	c.healthy(0, 1)

	// Living: it ends by itself, and the other one is a majority.
	c.Even = true
	if err := Remove(t.Context(), c.Options, "m2"); err != nil {
		t.Fatal(err)
	}
	if got := c.names(0); !slices.Equal(got, []string{"m1"}) {
		t.Errorf("living: %v", got)
	}
	c.Members = c.Members[:1]
	c.healthy(0)
}

// TestRemoveWithoutQuorum: where no majority can vote nothing is removed.
func TestRemoveWithoutQuorum(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3)
	c.up()
	c.kill(1)
	c.kill(2)
	if err := Remove(t.Context(), c.Options, "m3"); !errors.Is(err, ErrUnhealthy) {
		t.Errorf("got %v", err)
	}
}
