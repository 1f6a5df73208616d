package inspect

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/pgha/toolkit/pgha/change"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/etcd"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/preflight"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
	"github.com/pgha/toolkit/pgha/trial"
)

// storeTimeout bounds the questions to etcd: an etcd without a quorum must not hold up what the
// hosts say.
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
		s.Members = append(s.Members, change.StoreMember{Name: m.Name, PeerURLs: m.PeerURLs,
			Learner: m.Learner})
	}
	return s
}

// look asks a host in one round trip what preflight judges: its facts, what of the cluster runs on
// it, and what its PostgreSQL is configured with. Meanwhile it tries whether sshd forwards
// connections.
func look(ctx context.Context, c *site.Site, t *remote.Target,
	h spec.Host) (preflight.Facts, error) {
	w := want(c, h)
	forbidden := make(chan string, 1)
	go func() { forbidden <- forwardingForbidden(ctx, t, "127.0.0.1:1") }()
	about := factQuestions(w)
	questions := append(about, uptimeQuestion)
	before := time.Now()
	heard, res, err := t.BatchBeside(ctx, change.NeighboursQuestion(c.Spec),
		append(questions, runningQuestions(c.Spec, h)...)...)
	after := time.Now()
	if err != nil {
		return preflight.Facts{}, err
	}
	f := readFacts(res)
	clock, up := clockAndUptime(res[0])
	later := strings.TrimSpace(string(res[len(about)].Stdout))
	f.ClockOffset = clockOffset(before, after, clock, up, later)
	f.Running, f.Present = readRunning(res[len(questions):], heard)
	if f.Premises.Forbidden = <-forbidden; f.Premises.Forbidden != "" {
		f.Premises.Forwarding, f.Premises.Forbidden = askForwarding(ctx, t, w, f.Premises.Forbidden)
	}
	f.FreeBytes, err = freeSpace(ctx, t, w, f.Premises)
	return f, err
}

// runningQuestions ask what of the cluster runs on a host, and what its PostgreSQL is configured
// with.
func runningQuestions(sp *spec.Spec, h spec.Host) [][]string {
	questions := [][]string{change.Question(sp, h)}
	if h.Has(spec.RoleDatabase) {
		questions = append(questions, trial.PresentQuestion(sp.PostgreSQL.DataDir))
	}
	return questions
}

// readRunning reads the answers to runningQuestions, and what was heard of the neighbours.
func readRunning(res []remote.Result, heard []byte) (runs change.Host, present trial.Present) {
	if len(res) > 1 {
		present = trial.ReadPresent(string(res[1].Stdout))
	}
	return change.Read(string(res[0].Stdout) + string(heard)), present
}

// Refusals asks the hosts and etcd, all at the same time, and compares what they say with the
// specification.
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
		heard, res, err := t.BatchBeside(ctx, change.NeighboursQuestion(c.Spec),
			runningQuestions(c.Spec, h)...)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		f := preflight.Facts{}
		f.Running, f.Present = readRunning(res, heard)
		facts[t.Name] = f
		return nil
	})
	asking.Wait()
	return judgeChange(c.Spec, facts, store), err
}

// judgeChange compares the specification with what runs: each difference that apply does not bring
// about is a finding that stops it, by the table of package change.
func judgeChange(sp *spec.Spec, facts map[string]preflight.Facts,
	store *change.Store) []preflight.Finding {
	running := change.Running{Hosts: map[string]change.Host{}, Store: store}
	for name, f := range facts {
		running.Hosts[name] = f.Running
	}
	var found []preflight.Finding
	for _, r := range change.Judge(sp, running) {
		found = append(found, preflight.Finding{Host: strings.Join(r.Hosts, ", "), Field: r.Field,
			Problem: r.Problem, Remedy: errs.Text("%s", r.Way)})
	}
	return found
}
