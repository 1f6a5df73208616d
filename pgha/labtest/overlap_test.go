package labtest

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/probe"
	"github.com/pgha/toolkit/pgha/spec"
)

// testOverlap gives the virtual IP and the balancers' ports to other ones while somebody writes at
// the old ones and somebody at the new ones: the first notices nothing while both are served, the
// second nothing when the old ones go. Then all comes back at once, as one notices.
func testOverlap(t *testing.T, s site) {
	original := must(os.ReadFile(s.specFile))(t)
	sp := s.spec(t)
	before := sp.VIP.Address
	// The holder is not the first of the balancers that are changed.
	if holder := s.holder(t); holder == sp.Balancers()[0].Name {
		s.verb(t, nil, "vip", "move", "--to", sp.Balancers()[1].Name)
	}
	moved := must(spec.Edit(original, []spec.Change{value("192.168.0.219", "vip", "address"),
		value(6432, "balancer", "write_port"), value(6433, "balancer", "read_port")}))(t)
	old := s.writes(t)
	writeFile(t, s.specFile, must(spec.Edit(moved, []spec.Change{
		value(before, "vip", "former_address"), value(5432, "balancer", "former_write_port"),
		value(5433, "balancer", "former_read_port")}))(t))
	if p := s.plan(t, 2); strings.Contains(words(p), "no more") {
		t.Errorf("the plan tells of clients that notice: %v", p.Consequences)
	}
	s.apply(t, pgha.ApplyOptions{})
	s.applyNothing(t)
	s.verify(t)
	fresh := s.writes(t)
	s.readsAt(t, before, 5433, true)
	s.readsAt(t, "192.168.0.219", 6433, true)
	old.ends(t, s, "at the old address and port", 0.3)

	writeFile(t, s.specFile, moved)
	if p := s.plan(t, 2); !strings.Contains(words(p), before+" is served no more") ||
		!strings.Contains(words(p), "port 5432 is served no more") {
		t.Errorf("the plan does not tell what clients notice: %v", p.Consequences)
	}
	s.apply(t, pgha.ApplyOptions{})
	fresh.ends(t, s, "at the new address and port", 0.3)
	s.readsAt(t, before, 6433, false)
	s.readsAt(t, "192.168.0.219", 5433, false)

	writeFile(t, s.specFile, original)
	if p := s.plan(t, 2); !strings.Contains(words(p), "192.168.0.219 is served no more") {
		t.Errorf("the plan does not tell what clients notice: %v", p.Consequences)
	}
	s.apply(t, pgha.ApplyOptions{})
	s.readsAt(t, before, 5433, true)
}

// words are what follows from a plan.
func words(p pgha.Plan) string {
	var all strings.Builder
	for _, c := range p.Consequences {
		all.WriteString(c.String() + "\n")
	}
	return all.String()
}

// writing is a writer at one address and port.
type writing struct {
	*probe.Writer
	config *pgx.ConnConfig
	began  time.Time
}

// writes begins to write where the specification says now.
func (s site) writes(t *testing.T) writing {
	t.Helper()
	config := s.writerConfig(t)
	w, err := probe.Start(t.Context(), probe.Options{Config: config, Rate: 50})
	if err != nil {
		t.Fatal(err)
	}
	return writing{w, config, time.Now()}
}

// ends ends it: no row may be lost, and no longer time pass without one.
func (w writing) ends(t *testing.T, s site, where string, longest float64) {
	t.Helper()
	if err := w.WaitAcked(t.Context(), time.Now()); err != nil {
		t.Errorf("%s: %v", where, err)
	}
	r, err := w.Stop(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s.checkRows(t, w.config, r)
	seconds := r.Since(w.began).Longest().Seconds
	t.Logf("%s: %.2f s without writes, %d rows", where, seconds, r.Count(probe.Acked))
	if seconds > longest {
		t.Errorf("%s: %.2f s without writes, want %.2f s at most", where, seconds, longest)
	}
}

// readsAt tells whether somebody answers with a database at an address and port.
func (s site) readsAt(t *testing.T, address string, port uint16, want bool) {
	t.Helper()
	config := s.writerConfig(t)
	config.Host, config.Port, config.TLSConfig.ServerName = address, port, address
	config.Fallbacks, config.ValidateConnect = nil, nil
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, config)
	if err == nil {
		_ = conn.Close(ctx)
	}
	if (err == nil) != want {
		t.Errorf("%s:%d answers: %v, want %v: %v", address, port, err == nil, want, err)
	}
}
