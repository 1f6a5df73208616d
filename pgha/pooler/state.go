package pooler

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/pgha/toolkit/pgha/remote"
)

// lookTimeout bounds one question to one balancer.
const lookTimeout = 15 * time.Second

// BalancerState is what the poolers of one balancer say.
type BalancerState struct {
	Host      string
	Instances map[Instance]InstanceState
	// Err says why nothing is known.
	Err error
}

// Paused tells whether one of them holds its clients.
func (s BalancerState) Paused() bool {
	return slices.ContainsFunc(Instances(), func(i Instance) bool { return s.Instances[i].Paused })
}

// InstanceState is what one pooler says.
type InstanceState struct {
	// Silent: it does not answer.
	Silent bool
	// Version as it calls itself, "PgBouncer 1.26.1".
	Version string
	// Paused: it holds its clients, all or those of a database.
	Paused bool
	// Active clients have a session with PostgreSQL, Waiting ones wait for one, the first of them
	// for MaxWait, to the second. Servers are the sessions with PostgreSQL.
	Active, Waiting, Servers int
	MaxWait                  time.Duration
}

// State asks the poolers of every balancer, all at the same time and in one round trip each. The
// result has an entry for each, in their order. Changes nothing.
func State(ctx context.Context, o Options) ([]BalancerState, error) {
	states := make([]BalancerState, len(o.Balancers))
	var wg sync.WaitGroup
	for i, b := range o.Balancers {
		wg.Go(func() { states[i] = look(ctx, b.Target) })
	}
	wg.Wait()
	return states, ctx.Err()
}

func look(ctx context.Context, t *remote.Target) BalancerState {
	s := BalancerState{Host: t.Name}
	res, err := t.Run(ctx, remote.Cmd{Argv: []string{consolePath, "state"}, Timeout: lookTimeout})
	if err != nil {
		s.Err = remote.WithHint(fmt.Errorf("ask the poolers: %w", remote.OnHost(t.Name, err)),
			"see `systemctl status pgha-pooler-write pgha-pooler-read` on "+t.Name)
		return s
	}
	s.Instances = parse(string(res.Stdout))
	return s
}

// parse reads what the program "state" prints.
func parse(text string) map[Instance]InstanceState {
	all := map[Instance]InstanceState{}
	for line := range strings.Lines(text) {
		words := strings.Split(strings.TrimRight(line, "\n"), "\t")
		if len(words) < 2 {
			continue
		}
		row := map[string]string{}
		for _, w := range words[2:] {
			key, value, _ := strings.Cut(w, "=")
			row[key] = value
		}
		i := Instance(words[0])
		all[i] = all[i].with(words[1], row)
	}
	return all
}

func (s InstanceState) with(kind string, row map[string]string) InstanceState {
	number := func(key string) int {
		n, _ := strconv.Atoi(row[key])
		return n
	}
	switch kind {
	case "silent":
		s.Silent = true
	case "version":
		s.Version = row["version"]
	case "state":
		s.Paused = s.Paused || row["key"] != "active" && row["value"] == "yes"
	case "databases":
		s.Paused = s.Paused || number("paused") > 0
	case "pools":
		if row["database"] == Console {
			break
		}
		s.Active += number("cl_active")
		s.Waiting += number("cl_waiting")
		s.MaxWait = max(s.MaxWait, time.Duration(number("maxwait"))*time.Second)
		for _, kind := range []string{"sv_active", "sv_idle", "sv_used", "sv_tested", "sv_login"} {
			s.Servers += number(kind)
		}
	}
	return s
}
