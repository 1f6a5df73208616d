package hosts

import (
	"errors"
	"strings"
	"testing"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/etcd"
	"github.com/pgha/toolkit/pgha/internal/sitetest"
	"github.com/pgha/toolkit/pgha/procedure"
	"github.com/pgha/toolkit/pgha/spec"
	"github.com/pgha/toolkit/pgha/status"
)

// TestAway: which hosts a change leaves as they are.
func TestAway(t *testing.T) {
	t.Parallel()
	from := sitetest.PowerSpec()
	to := *from
	coming := []spec.Host{
		{Name: "db4", Member: "pg4", Role: spec.RoleDatabase},
		{Name: "db5", Member: "pg5", Role: spec.RoleDatabase},
	}
	to.Hosts = append(append([]spec.Host{}, from.Hosts...), coming...)
	o := order{Add: coming}
	for name, tt := range map[string]struct {
		names   []string
		refused string
	}{
		"nobody":                   {nil, ""},
		"a dead replica's":         {[]string{"db2"}, ""},
		"by its member":            {[]string{"pg2"}, ""},
		"one that comes":           {[]string{"db4"}, "db4 comes or goes"},
		"nobody's name":            {[]string{"db9"}, "db9"},
		"two of three":             {[]string{"db1", "db2"}, "no majority of etcd"},
		"a balancer and a replica": {[]string{"lb1", "db3"}, ""},
	} {
		away, err := o.away(specifications{from: from, to: &to, all: &to}, tt.names)
		switch {
		case tt.refused == "" && (err != nil || len(away) != len(tt.names)):
			t.Errorf("%s: %v, %v", name, away, err)
		case tt.refused != "" && (!errors.Is(err, errs.ErrRefused) ||
			!strings.Contains(err.Error(), tt.refused)):
			t.Errorf("%s: %v, want a refusal that says %q", name, err, tt.refused)
		}
	}
}

// TestIgnores: a host is left out of changes of hosts alone.
func TestIgnores(t *testing.T) {
	t.Parallel()
	without := Options{Without: []string{"db2"}}
	for verb, refused := range map[string]bool{"host add": false, "restore": true} {
		if err := ignores(procedure.Record{Verb: verb}, without); (err != nil) != refused ||
			refused && !errors.Is(err, errs.ErrRefused) {
			t.Errorf("%s: %v", verb, err)
		}
		if err := ignores(procedure.Record{Verb: verb}, Options{}); err != nil {
			t.Errorf("%s without hosts left out: %v", verb, err)
		}
	}
}

// TestVoting: hosts that have yet to join, and learners, are no members that count.
func TestVoting(t *testing.T) {
	t.Parallel()
	members := []status.EtcdStatus{{Name: "pg1"}, {Name: "pg2", Healthy: true},
		{Name: "pg3", Healthy: true}, {Name: "pg4"}, {Name: "pg5"}}
	known := []etcd.StoreMember{{Name: "pg1"}, {Name: "pg2"}, {Name: "pg3"},
		{Name: "pg4", Learner: true}, {Name: ""}}
	gone := []spec.Host{{Name: "db4", Member: "pg4"}, {Name: "db5", Member: "pg5"}}
	if reasons := quorumReasons(status.Status{Etcd: members}, gone, 0); len(reasons) != 1 {
		t.Errorf("all counted: %q", reasons)
	}
	left := voting(members, known)
	if reasons := quorumReasons(status.Status{Etcd: left}, gone, 0); len(left) != 3 ||
		len(reasons) > 0 {
		t.Errorf("%+v: %q", left, reasons)
	}
}
