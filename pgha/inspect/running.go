package inspect

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/pgha/toolkit/pgha/change"
	"github.com/pgha/toolkit/pgha/etcd"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/preflight"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
	"github.com/pgha/toolkit/pgha/trial"
)

// storeTimeout bounds the questions to etcd: an etcd without a quorum must not hold up what the hosts say.
const storeTimeout = 5 * time.Second

// askStore asks etcd who belongs to it and which clusters it holds; nil where none answers.
func askStore(ctx context.Context, c *site.Site) *change.Store {
	eo, err := c.EtcdOptions()
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	seen, err := etcd.ReadStore(ctx, eo, "/")
	if err != nil {
		return nil
	}
	s := &change.Store{Version: seen.Version, Scopes: change.Scopes(seen.Values)}
	for _, a := range seen.Alarms {
		s.Alarms = append(s.Alarms, change.StoreAlarm(a))
	}
	for _, m := range seen.Members {
		s.Members = append(s.Members, change.StoreMember{Name: m.Name, PeerURLs: m.PeerURLs, Learner: m.Learner})
	}
	return s
}

// lookRunning asks a host, in one round trip, what of the cluster runs on it, and what its PostgreSQL is configured with.
// The facts have nothing else.
func lookRunning(ctx context.Context, c *site.Site, t *remote.Target, h spec.Host) (preflight.Facts, error) {
	questions := [][]string{change.Question(c.Spec, h)}
	if h.Role == spec.RoleDatabase {
		questions = append(questions, trial.PresentQuestion(c.Spec.PostgreSQL.DataDir))
	}
	res, err := t.Batch(ctx, questions...)
	if err != nil {
		return preflight.Facts{}, err
	}
	f := preflight.Facts{Running: change.Read(string(res[0].Stdout))}
	if len(res) > 1 {
		f.Present = trial.ReadPresent(string(res[1].Stdout))
	}
	return f, nil
}

// Refusals asks the hosts and etcd, all at the same time, and compares what they say with the specification.
func Refusals(ctx context.Context, c *site.Site) ([]preflight.Finding, error) {
	var store *change.Store
	var asking sync.WaitGroup
	asking.Go(func() { store = askStore(ctx, c) })
	var mu sync.Mutex
	facts := map[string]preflight.Facts{}
	err := remote.Each(ctx, c.Targets(), func(ctx context.Context, t *remote.Target) error {
		h, err := c.Spec.Host(t.Name)
		if err != nil {
			return err
		}
		runs, err := lookRunning(ctx, c, t, h)
		mu.Lock()
		defer mu.Unlock()
		facts[t.Name] = runs
		return err
	})
	asking.Wait()
	return judgeChange(c.Spec, facts, store), err
}

// judgeChange compares the specification with what runs: each difference that apply does not bring about is a finding that
// stops it, by the table of package change.
func judgeChange(sp *spec.Spec, facts map[string]preflight.Facts, store *change.Store) []preflight.Finding {
	running := change.Running{Hosts: map[string]change.Host{}, Store: store}
	for name, f := range facts {
		running.Hosts[name] = f.Running
	}
	var found []preflight.Finding
	for _, r := range change.Judge(sp, running) {
		found = append(found, preflight.Finding{Host: strings.Join(r.Hosts, ", "), Field: r.Field, Problem: r.Problem, Remedy: r.Way})
	}
	return found
}
