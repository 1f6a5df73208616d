package operate

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestJudgeSlots: what the leader has, what the candidate has, and what a switchover would do.
func TestJudgeSlots(t *testing.T) {
	t.Parallel()
	member := func(xmin int64) slot {
		return slot{Name: "db_2", Usable: true, Active: true, CatalogXmin: xmin}
	}
	cdc := slot{Name: "cdc", Logical: true, Database: "app", Plugin: "pgoutput", Usable: true, CatalogXmin: 5}
	failover := cdc
	failover.Failover = true
	synced := failover
	synced.Synced = true
	gone := cdc
	gone.Usable = false
	physical := slot{Name: "wal", Usable: true, Active: true}
	idle := slot{Name: "wal", Usable: true}
	permanent := []string{"cdc"}
	for name, tt := range map[string]struct {
		leader, copies []slot
		permanent      []string
		lost, behind   string
	}{
		"no slots":               {[]slot{member(0)}, nil, nil, "", ""},
		"declared and copied":    {[]slot{member(5), cdc}, []slot{cdc}, permanent, "", ""},
		"declared, no copy":      {[]slot{member(5), cdc}, nil, permanent, "", "not copied"},
		"declared, copy unsafe":  {[]slot{member(0), cdc}, []slot{cdc}, permanent, "", "catalog"},
		"declared, catalog gone": {[]slot{member(6), cdc}, []slot{cdc}, permanent, "", "catalog"},
		"declared, long ago":     {[]slot{member(4294967000), cdc}, []slot{cdc}, permanent, "", ""},
		"declared, copy lost":    {[]slot{member(5), cdc}, []slot{gone}, permanent, "", "not copied"},
		"nobody's":               {[]slot{member(5), cdc}, nil, nil, "cdc", ""},
		"nobody's, and lost":     {[]slot{member(5), gone}, nil, nil, "", ""},
		"failover, synced":       {[]slot{failover}, []slot{synced}, nil, "", ""},
		"failover, left over":    {[]slot{failover}, []slot{failover}, nil, "", "not copied"},
		"failover, no copy":      {[]slot{failover}, nil, nil, "", "not copied"},
		"physical, read":         {[]slot{physical}, nil, nil, "wal", ""},
		"physical, idle":         {[]slot{idle}, nil, nil, "", ""},
		"physical, declared":     {[]slot{physical}, nil, []string{"wal"}, "", ""},
	} {
		h := judgeSlots("db-2", tt.leader, tt.copies, []string{"db_1", "db_2"}, tt.permanent)
		var lost []string
		for _, s := range h.lost {
			lost = append(lost, s.Name)
		}
		behind := strings.Join(h.behind, "; ")
		if strings.Join(lost, " ") != tt.lost || (behind == "") != (tt.behind == "") ||
			!strings.Contains(behind, tt.behind) {
			t.Errorf("%s: lost %v, behind %q", name, lost, behind)
		}
	}
}

// TestLeftovers: dropped is only what the leader has itself, and nobody reads.
func TestLeftovers(t *testing.T) {
	t.Parallel()
	s := func(change func(*slot)) slot {
		s := slot{Name: "cdc", Logical: true, Database: "app", Plugin: "pgoutput", Failover: true,
			Usable: true}
		change(&s)
		return s
	}
	same := s(func(*slot) {})
	for name, tt := range map[string]struct {
		leader, replica slot
		want            []string
	}{
		"left over":         {same, same, []string{"cdc"}},
		"a copy":            {same, s(func(s *slot) { s.Synced = true }), nil},
		"somebody reads it": {same, s(func(s *slot) { s.Active = true }), nil},
		"no failover slot":  {same, s(func(s *slot) { s.Failover = false }), nil},
		"leader's is none":  {s(func(s *slot) { s.Failover = false }), same, nil},
		"leader's is lost":  {s(func(s *slot) { s.Usable = false }), same, nil},
		"another plugin":    {s(func(s *slot) { s.Plugin = "wal2json" }), same, nil},
		"another slot":      {s(func(s *slot) { s.Name = "x" }), same, nil},
	} {
		if diff := cmp.Diff(tt.want, leftovers([]slot{tt.leader}, []slot{tt.replica})); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}
