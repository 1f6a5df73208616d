package status

import (
	"context"
	"fmt"

	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/pooler"
)

// PoolerStatus is one PgBouncer.
type PoolerStatus struct {
	Host string `json:"host"`
	// Port is where clients connect to, for "write" or "read" as Purpose says.
	Purpose string `json:"purpose"`
	Port    int    `json:"port"`
	Version string `json:"version,omitempty"`
	// Paused: its clients are held. An operation does that, for 10 s at most.
	Paused bool `json:"paused"`
	// Active clients have a session with PostgreSQL, Waiting ones wait for one, the first of them
	// for WaitSeconds. Sessions are those with PostgreSQL, MaxSessions how many there may be.
	Active      int     `json:"active_clients"`
	Waiting     int     `json:"waiting_clients"`
	WaitSeconds float64 `json:"wait_seconds"`
	Sessions    int     `json:"sessions"`
	MaxSessions int     `json:"max_sessions"`
	Error       string  `json:"error,omitempty"`
}

// poolerStatus asks each pooler.
func poolerStatus(ctx context.Context, c *site.Site, s *Status) error {
	opts, ok, err := site.PoolerOptions(c)
	if err != nil || !ok {
		return err
	}
	opts = opts.WithDefaults()
	states, err := pooler.State(ctx, opts)
	for _, b := range states {
		for _, i := range pooler.Instances() {
			seen := b.Instances[i]
			p := PoolerStatus{Host: b.Host, Purpose: string(i), Port: opts.WritePort,
				Version: seen.Version, Paused: seen.Paused, Active: seen.Active,
				Waiting: seen.Waiting, WaitSeconds: seen.MaxWait.Seconds(),
				Sessions: seen.Servers, MaxSessions: opts.Sizes.Write}
			if i == pooler.Read {
				p.Port, p.MaxSessions = opts.ReadPort, opts.Sizes.Read
			}
			switch {
			case b.Err != nil:
				p.Error = b.Err.Error()
			case seen.Silent:
				p.Error = "it does not answer"
			}
			s.Poolers = append(s.Poolers, p)
		}
	}
	return err
}

func poolerProblems(s Status) []string {
	var found []string
	for _, p := range s.Poolers {
		switch {
		case p.Error != "":
			found = append(found, fmt.Sprintf("pooler for %ss on %s: %s", p.Purpose, p.Host, p.Error))
		case p.Paused:
			found = append(found, fmt.Sprintf("the pooler for %ss on %s is paused: clients wait, "+
				"for 10 s at most if nobody holds them any more", p.Purpose, p.Host))
		}
	}
	return found
}
