package etcd

import (
	"errors"
	"strings"
	"testing"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/remote"
)

// TestJudgeLeftOut: while members are left out nothing is restarted that the quorum needs, and no
// new cluster is formed.
func TestJudgeLeftOut(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		members  int
		leftOut  []int
		restarts []int
		noData   bool
		want     string // "" is not refused
	}{
		"nobody is left out": {members: 3, restarts: []int{0, 1, 2}},
		"nothing to restart": {members: 3, leftOut: []int{2}},
		"two of three, one to restart": {members: 3, leftOut: []int{2}, restarts: []int{0},
			want: "etcd on h1"},
		"four of five, all to restart": {members: 5, leftOut: []int{4},
			restarts: []int{0, 1, 2, 3}},
		"three of five, one to restart": {members: 5, leftOut: []int{0, 4}, restarts: []int{1},
			want: "without h1 and h5"},
		"no data on the others": {members: 3, leftOut: []int{0}, noData: true,
			want: "h1 may have some"},
	} {
		o := memberOptions(t, tt.members).withDefaults()
		seen := make([]facts, tt.members)
		for i, m := range o.Members {
			name := "h" + string(rune('1'+i))
			o.Members[i].Target = &remote.Target{Host: remote.Host{Name: name}}
			seen[i] = facts{hasData: !tt.noData, running: !tt.noData, digest: o.digest(m)}
		}
		for _, i := range tt.leftOut {
			o.Members[i].Target, seen[i] = remote.LeaveOut(o.Members[i].Target.Host), facts{}
		}
		for _, i := range tt.restarts {
			seen[i].digest = "another"
		}
		err := o.judgeLeftOut(seen)
		if (err != nil) != (tt.want != "") || err != nil && (!errors.Is(err, errs.ErrRefused) ||
			!strings.Contains(err.Error(), tt.want) || remote.Hint(err) == "") {
			t.Errorf("%s: %v", name, err)
		}
		if got := len(o.all()); got != tt.members-len(tt.leftOut) {
			t.Errorf("%s: %d members take part", name, got)
		}
	}
}
