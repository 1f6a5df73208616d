package status

import (
	"strings"
	"testing"
	"time"

	"github.com/pgha/toolkit/pgha/backup"
	"github.com/pgha/toolkit/pgha/spec"
)

func TestBackupWarnings(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	sets := func(hours ...int) backup.Inventory {
		var i backup.Inventory
		for _, h := range hours {
			i.Sets = append(i.Sets, backup.Set{Stop: now.Add(-time.Duration(h) * time.Hour)})
		}
		return i
	}
	proof := func(hours int, proven bool) *backup.Proof {
		return &backup.Proof{Began: now.Add(-time.Duration(hours) * time.Hour), Proven: proven}
	}
	for name, c := range map[string]struct {
		have  backup.Inventory
		proof *backup.Proof
		want  []string
	}{
		"nothing":              {backup.Inventory{}, nil, []string{"no backup yet"}},
		"fresh":                {sets(30, 2), proof(100, true), nil},
		"old":                  {sets(300, 27), proof(100, true), []string{"27h0m0s old"}},
		"young and not proven": {sets(100, 2), nil, nil},
		"never proven":         {sets(800, 2), nil, []string{"no backup was restored"}},
		"proven long ago":      {sets(2000, 2), proof(800, true), []string{"no backup was restored"}},
		"proof failed":         {sets(30, 2), proof(1, false), []string{"failed"}},
		"all of it": {sets(2000, 900), proof(1000, false),
			[]string{"900h0m0s old", "failed", "no backup was restored"}},
	} {
		s := BackupStatus{Proof: c.proof}
		s.hold(spec.New().SLO, c.have, now)
		got := s.Warnings
		if len(got) != len(c.want) {
			t.Errorf("%s: %q", name, got)
			continue
		}
		for i := range got {
			if !strings.Contains(got[i], c.want[i]) {
				t.Errorf("%s: %q, want %q", name, got[i], c.want[i])
			}
		}
	}
}
