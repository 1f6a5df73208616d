package labtest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/lab"
	"github.com/pgha/toolkit/pgha/probe"
	"github.com/pgha/toolkit/pgha/spec"
)

// TestLayouts provisions clusters whose etcd is not where all the databases are. Under a writer the
// leader's host loses its power, and another host of etcd after that one is back.
func TestLayouts(t *testing.T) {
	t.Parallel()
	for _, layout := range []string{"witness", "separate-etcd"} {
		runPart(t, layout, func(t *testing.T) {
			if layout == "separate-etcd" {
				rarely(t)
			}
			s := newSite(t, startLab(t, lab.Options{Name: "e2e-" + layout, Layout: layout,
				Installed: true}), nil)
			s.apply(t, pgha.ApplyOptions{})
			s.awaitHealthy(t)
			s.verify(t)
			s.applyNothing(t)
			s.findNothing(t)
			leader := s.hostOf(t, s.status(t).Leader())
			s.losePower(t, leader)
			if now := s.hostOf(t, s.status(t).Leader()); now == leader {
				t.Errorf("%s still leads", now)
			}
			s.losePower(t, s.voterAlone(t))
			s.checkStopStart(t)
			s.verify(t)
			s.applyNothing(t)
		})
	}
}

// voterAlone is a host that runs etcd and nothing else.
func (s site) voterAlone(t *testing.T) string {
	t.Helper()
	for _, h := range s.spec(t).EtcdHosts() {
		if !h.Has(spec.RoleDatabase) && !h.Has(spec.RoleBalancer) {
			return h.Name
		}
	}
	t.Fatal("no host runs etcd alone")
	return ""
}

// losePower takes a host's power, waits until rows are acknowledged again, and gives it back. No
// acknowledged row may be lost where the host has no database; where it led, what was on its way
// may.
func (s site) losePower(t *testing.T, host string) {
	t.Helper()
	w, err := probe.Start(t.Context(), probe.Options{Config: s.writerConfig(t), Rate: 50})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.WaitAcked(t.Context(), time.Now()); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := s.Kill(t.Context(), host); err != nil {
		t.Fatal(err)
	}
	if err := w.WaitAcked(t.Context(), began.Add(time.Second)); err != nil {
		t.Error(err)
	}
	away := s.cli(t, "advise")
	if away.code == 0 || !strings.Contains(away.stdout+away.stderr, host) {
		t.Logf("advise while %s is away: exit code %d\n%s%s", host, away.code, away.stdout,
			away.stderr)
	}
	if err := s.StartHost(t.Context(), host); err != nil {
		t.Fatal(err)
	}
	s.awaitHealthy(t)
	r, err := w.Stop(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s lost its power: %.2f s without writes", host,
		r.Since(began).Longest().Seconds)
}

// findNothing fails the test if doctor finds an error.
func (s site) findNothing(t *testing.T) {
	t.Helper()
	await(t, healthyWithin, "doctor to find no error", func() (bool, string) {
		got := s.cli(t, "doctor")
		return got.code == 0, fmt.Sprintf("exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	})
}

// checkStopStart stops the whole cluster and starts it again.
func (s site) checkStopStart(t *testing.T) {
	t.Helper()
	for _, verb := range []string{"stop", "start"} {
		if got := s.cli(t, verb, "--yes"); got.code != 0 {
			t.Fatalf("%s: exit code %d\n%s%s", verb, got.code, got.stdout, got.stderr)
		}
	}
	s.awaitHealthy(t)
}
