package lb

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"github.com/pgha/toolkit/pgha/layout"
)

// masterSocket is where HAProxy's master process answers; Debian's unit gives it that path.
const masterSocket = layout.MasterSocket

// masterWords ask the master for its workers and for what it logged at its last reload.
const masterWords = "show proc;show startup-logs"

// masterHeader begins the answer to them.
const masterHeader = "#<PID> "

// Reload is what HAProxy's master says of its last reload. `systemctl reload` ends with 0 as soon
// as the configuration is valid; a new worker that then cannot bind an address ends, and the former
// one continues with the former configuration.
type Reload struct {
	// Master is the master's process, 0 when nothing is known: the master does not answer, or
	// HAProxy is older than 2.7.
	Master int
	// Count is how often it was told to reload since it started.
	Count int
	// Failed: the last time it could not start a worker. Reason is why, in HAProxy's words.
	Failed bool
	Reason string
	// Done: the worker of the last reload, or of the start, serves.
	Done bool
}

// ParseReload reads what the master answers to "show proc;show startup-logs".
func ParseReload(text string) Reload {
	_, text, found := strings.Cut(text, masterHeader)
	if !found {
		return Reload{}
	}
	var r Reload
	var alerts []string
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		switch {
		case len(fields) > 4 && fields[1] == "master" && fields[3] == "[failed:":
			r.Master, r.Count = atoi(fields[0]), atoi(fields[2])
			r.Failed = atoi(strings.TrimSuffix(fields[4], "]")) > 0
		case strings.HasPrefix(line, "[ALERT]"):
			_, alert, _ := strings.Cut(line, " : ")
			alerts = append(alerts, strings.TrimSpace(alert))
		case strings.Contains(line, "Loading success."):
			r.Done = true
		}
	}
	if r.Failed {
		r.Done, r.Reason = false, cmp.Or(strings.Join(alerts, " "), "its worker ended")
	}
	return r
}

func atoi(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0
	}
	return n
}

// since tells whether a reload that was asked for after a look has come to its end. A master that
// says nothing is not waited for.
func (r Reload) since(before Reload) bool {
	asked := before.Master == 0 || r.Master != before.Master || r.Count > before.Count
	return r.Master == 0 || asked && (r.Done || r.Failed)
}

// err is nil unless the last reload failed.
func (r Reload) err() error {
	if !r.Failed {
		return nil
	}
	return fmt.Errorf(
		"HAProxy goes on with its former configuration and cannot start again, because its new "+
			"worker ended: %s",
		r.Reason)
}
