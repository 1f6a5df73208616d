package vip

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pgha/toolkit/internal/poll"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/remote"
)

// reloadWait bounds the wait for keepalived's word after a reload, which comes within half a
// second.
const reloadWait = 5 * time.Second

// reloadLines prints the journal of a unit, with all that was logged until now.
const reloadLines = `journalctl --sync 2>/dev/null; journalctl -q --no-pager -o cat -n 200 -u "$1"`

// Reload is what keepalived logged of its last reload. `systemctl reload` only sends a signal, and
// ends with 0 even where keepalived then ends because of its configuration, or leaves out what it
// does not like.
type Reload struct {
	// Done: it has read the configuration to its end.
	Done bool
	// Ended: it has ended over it. systemd starts it again and again, to the same end.
	Ended bool
	// Complaints are the lines about what it does not take, with the configuration's line where
	// keepalived knows it.
	Complaints []string
}

// ParseReload reads a journal's messages, one a line. Before the first reload nothing is known.
func ParseReload(text string) Reload {
	const begins = "Reloading keepalived.service"
	_, text, found := cutLast(text, begins)
	if !found {
		return Reload{}
	}
	var r Reload
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch {
		case line == "Reload complete":
			r.Done = true
		case strings.Contains(line, "exited with permanent error"),
			strings.HasPrefix(line, "Stopped Keepalived"):
			r.Ended = true
		case complains(line) && !slices.Contains(r.Complaints, line):
			r.Complaints = append(r.Complaints, line)
		}
	}
	return r
}

func cutLast(text, separator string) (before, after string, found bool) {
	i := strings.LastIndex(text, separator)
	if i < 0 {
		return text, "", false
	}
	return text[:i], text[i+len(separator):], true
}

// complains tells whether keepalived says in a line what of its configuration it does not take. Its
// own test (keepalived -t) fails for each but the last, which it only meets when it runs.
func complains(line string) bool {
	atLine := strings.HasPrefix(line, "(/") && strings.Contains(line, ": Line ")
	for _, words := range []string{"Non-existent interface", "missing '}'",
		"the virtual router id must be set",
		"Disabling track script", " - disabling"} {
		atLine = atLine || strings.Contains(line, words)
	}
	return atLine
}

// err is nil unless keepalived does something else than its configuration says.
func (r Reload) err() error {
	why := strings.Join(r.Complaints, "; ")
	switch {
	case r.Ended && why == "":
		return errors.New("keepalived ended when it read its new configuration")
	case r.Ended:
		return fmt.Errorf("keepalived ended when it read its new configuration: %s", why)
	case why != "":
		return fmt.Errorf("keepalived does not take all of its new configuration: %s", why)
	}
	return nil
}

// awaitReload asks keepalived how its reload went, if these changes have one. Silence, which
// another version may keep, is not an error.
func awaitReload(ctx context.Context, t *remote.Target, changes remote.Changes) error {
	if !slices.ContainsFunc(changes, func(c remote.Change) bool {
		return c.Name == Unit && c.Action == "reloaded"
	}) {
		return nil
	}
	var r Reload
	err := poll.Until(ctx, poll.Options{
		What: "keepalived to say how its reload went", Bound: reloadWait, Every: pollInterval,
	}, func(ctx context.Context) (string, error) {
		cmd := remote.Cmd{Script: reloadLines, Argv: []string{Unit}, Timeout: lookTimeout}
		res, err := t.Run(ctx, cmd)
		if err != nil {
			return "", err
		}
		if r = ParseReload(string(res.Stdout)); !r.Done && !r.Ended {
			return "nothing in its journal", nil
		}
		return "", nil
	})
	if err != nil {
		return ctx.Err()
	}
	return errs.WithNext(remote.OnHost(t.Name, r.err()),
		errs.Text("see `journalctl -u keepalived -n 50` on %s, mend that, then %s; the balancers "+
			"behind it are as they were", t.Name, errs.Verb("apply")))
}
