package pooler

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/remote"
)

// Lead is how long clients are held at most: then a timer of each host lets them go on, whether
// anybody is there to do it or not. They do within ten seconds: a lab's host with other work took
// one more to start the program and to log in to the servers again.
const Lead = 9 * time.Second

// PauseOptions bound a pause.
type PauseOptions struct {
	// Manage is how long transactions that are open may take to end. 0 means 2 s.
	Manage time.Duration
	// Only is the one that is paused on each balancer. "" means both.
	Only Instance
	// Tries are how often that is tried before Pause gives up, with a second between them. 0 means
	// 3.
	Tries int
}

// Held is what a pause left out.
type Held struct {
	// Silent are balancers, as "haproxy-01 (read)", whose pooler does not answer: it serves nobody,
	// and nothing is to be held there.
	Silent []string
	// Sessions are databases whose clients keep their session with PostgreSQL; they cannot be held.
	Sessions []string
}

// Pause holds the clients of all poolers between two transactions, and returns when none has a
// session with PostgreSQL any more. What clients do from then on waits until Resume, a login, too.
//
// Before it asks, a timer is set on each balancer that lets clients go on after Lead, so that they
// do also when the caller is gone. All balancers are asked at the same time; if one of them does
// not manage, all go on, and Pause tries again. After the last try its error matches ErrBusy. Where
// a balancer cannot be reached nobody is held, and the error says so: the caller would not be able
// to let its clients go on.
//
// Clients in Session mode are not held: they would have to disconnect first.
func Pause(ctx context.Context, o Options, po PauseOptions) (Held, error) {
	o = o.WithDefaults()
	if po.Manage == 0 {
		po.Manage = 2 * time.Second
	}
	if po.Tries == 0 {
		po.Tries = 3
	}
	for try := 1; ; try++ {
		held, err := o.pauseOnce(ctx, po.Manage, po.Only)
		if err == nil {
			return held, nil
		}
		// Those that have managed wait for nothing now.
		undo, cancel := context.WithTimeout(context.WithoutCancel(ctx), resumeTimeout)
		resumeErr := Resume(undo, o)
		cancel()
		if err = errors.Join(err, resumeErr); !errors.Is(err, ErrBusy) || resumeErr != nil ||
			try == po.Tries {
			return held, err
		}
		o.Progress("transactions through the pooler do not end; its clients go on, and it is tried " +
			"again")
		select {
		case <-ctx.Done():
			return held, ctx.Err()
		case <-time.After(time.Second):
		}
	}
}

const (
	resumeTimeout = 8 * time.Second
	busyExit      = 3
	missingExit   = 127 // a shell's: there is no such program
)

// pauseOnce asks all balancers.
func (o Options) pauseOnce(ctx context.Context, manage time.Duration, only Instance) (Held, error) {
	var mu sync.Mutex
	var all Held
	err := remote.Each(ctx, o.targets(), func(ctx context.Context, t *remote.Target) error {
		argv := []string{consolePath, "pause", strconv.FormatFloat(manage.Seconds(), 'f', -1, 64),
			strconv.Itoa(int(Lead.Seconds()))}
		if only != "" {
			argv = append(argv, string(only))
		}
		res, err := t.Run(ctx, remote.Cmd{Argv: argv, Timeout: manage + 8*time.Second, Mutating: true})
		mu.Lock()
		defer mu.Unlock()
		var exit *remote.ExitError
		var late []string
		for line := range strings.Lines(string(res.Stdout)) {
			words := strings.Split(strings.TrimSpace(line), "\t")
			if len(words) < 2 {
				continue
			}
			switch words[1] {
			case "silent":
				all.Silent = append(all.Silent, t.Name+" ("+words[0]+")")
			case "session":
				if len(words) > 2 && !slices.Contains(all.Sessions, words[2]) {
					all.Sessions = append(all.Sessions, words[2])
				}
			case "late", "refused":
				late = append(late, strings.Join(append(words[2:], "for "+words[0]+"s"), ", "))
			}
		}
		if errors.As(err, &exit) && exit.Code == missingExit {
			// The specification has a pooler that no apply has brought yet.
			all.Silent = append(all.Silent, t.Name)
			return nil
		}
		if errors.As(err, &exit) && exit.Code == busyExit {
			return remote.OnHost(t.Name, fmt.Errorf("%w within %s: %s", ErrBusy, manage,
				strings.Join(late, "; ")))
		}
		return remote.OnHost(t.Name, err)
	})
	return all, err
}

// Resume lets clients go on, whoever has held them, and unsets the timers. It returns when every
// pooler that answers says that it holds nobody. Safe to repeat; where nobody is held nothing
// happens.
func Resume(ctx context.Context, o Options) error {
	return remote.Each(ctx, o.targets(), func(ctx context.Context, t *remote.Target) error {
		return ResumeOn(ctx, t, "")
	})
}

// ResumeOn is Resume for one balancer, and for one of its poolers: then its timer stays. "" means
// both.
func ResumeOn(ctx context.Context, t *remote.Target, i Instance) error {
	argv := []string{consolePath, "resume"}
	if i != "" {
		argv = append(argv, string(i))
	}
	_, err := t.Run(ctx, remote.Cmd{Argv: argv, Timeout: resumeTimeout, Mutating: true})
	if err != nil {
		return errs.WithNext(fmt.Errorf("%w: %w", ErrStillPaused, remote.OnHost(t.Name, err)),
			errs.Text("a timer of the host lets them go on within %s of the pause; if not, "+
				"`%s resume` on %s", Lead, consolePath, t.Name))
	}
	return nil
}
