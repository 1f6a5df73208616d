package power

import (
	"errors"
	"log/slog"
	"testing"

	"github.com/pgha/toolkit/pgha/event"
	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/internal/sitetest"
	"github.com/pgha/toolkit/pgha/internal/vault"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/spec"
)

// TestCanHandOver: the leader's host cannot go where no replica is healthy; another one can.
func TestCanHandOver(t *testing.T) {
	t.Parallel()
	c := sitetest.New(t).Hold(&vault.Credentials{})
	r := &job.Job{Site: c, Out: &event.Emitter{Log: slog.New(slog.DiscardHandler)}}
	s := sitetest.PowerStatus("db2", "db3")
	for host, want := range map[string]error{"db1": patroni.ErrNoCandidate, "db2": nil} {
		gone := []spec.Host{{Name: host, Member: "pg" + host[2:], Role: spec.RoleDatabase}}
		if err := CanHandOver(t.Context(), r, s, gone); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", host, err, want)
		}
	}
}
