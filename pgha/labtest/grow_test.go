package labtest

import (
	"strings"
	"testing"
	"time"

	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/lab"
	"github.com/pgha/toolkit/pgha/probe"
)

// TestGrow begins with one database and two balancers. An apply of a larger specification makes
// three of each, under a writer: everything new is a whole member, nobody is promoted, and no row
// is lost.
func TestGrow(t *testing.T) {
	t.Parallel()
	options := lab.Options{Name: "e2e-grow", Hosts: 3, Databases: 1, Installed: true}
	s := newSite(t, startLab(t, options), nil)
	s.apply(t, pgha.ApplyOptions{})
	holder := s.holder(t)
	added := map[string]bool{}
	for _, role := range []string{lab.RoleDatabase, lab.RoleDatabase, lab.RoleBalancer} {
		larger, h, err := s.Add(t.Context(), role)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s has the address %s", h.Name, h.Address)
		s.Lab, added[h.Name] = larger, true
	}
	text, err := s.Spec()
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, s.specFile, text)
	for _, ch := range s.plan(t, 2).Changes {
		if ch.Origin.Cause == pgha.CauseUnknown && added[ch.Host] {
			t.Errorf("%s is new, and of %s nobody knows where it comes from", ch.Host, ch.Name)
		}
	}
	w, err := probe.Start(t.Context(), probe.Options{Config: s.writerConfig(t), Rate: 50})
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	s.apply(t, pgha.ApplyOptions{})
	if err := w.WaitAcked(t.Context(), time.Now()); err != nil {
		t.Error(err)
	}
	r, err := w.Stop(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("three of each: %.2f s without writes, %d rows", r.Since(began).Longest().Seconds,
		r.Count(probe.Acked))
	s.awaitHealthy(t)
	s.checkRows(t, s.writerConfig(t), r)
	if now := s.holder(t); now != holder {
		t.Errorf("%s holds the address, it was %s", now, holder)
	}
	const members = `etcdctl --cacert /etc/patroni/certs/etcd-ca.crt --cert /etc/patroni/certs/etcd-client.crt ` +
		`--key /etc/patroni/certs/etcd-client.key --endpoints https://"$(hostname -I | cut -d' ' -f1)":2379 ` +
		`member list`
	list := s.mustInHost(t, "postgres-01", members)
	if lines := strings.Split(strings.TrimSpace(list), "\n"); len(lines) != 3 ||
		strings.Count(list, ", started, ") != 3 || strings.Count(list, ", false") != 3 {
		t.Errorf("etcd's members:\n%s", list)
	}
	s.applyNothing(t)
	s.verify(t)
	// A host less is another matter.
	less := edited(t, string(text), "\n  - {name: postgres-03", "\n# - {name: postgres-03")
	less = edited(t, less, "\n  - {name: postgres-02", "\n# - {name: postgres-02")
	writeFile(t, s.specFile, []byte(less))
	if got := s.cli(t, "apply", "--yes"); got.code != 3 ||
		!strings.Contains(got.stderr, "not in the specification: postgres-02, postgres-03") ||
		!strings.Contains(got.stderr, "apply --remove postgres-02 --remove postgres-03") {
		t.Errorf("fewer hosts: %+v", got)
	}
}

// holder is the balancer that holds the address.
func (s site) holder(t *testing.T) string {
	t.Helper()
	holders := s.awaitHealthy(t).VIP.Holders
	if len(holders) != 1 {
		t.Fatalf("held by %v", holders)
	}
	return holders[0]
}
