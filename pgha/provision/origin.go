package provision

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/trail"
)

// Cause says why a change is planned.
type Cause string

// The causes of planned changes.
const (
	// CauseNew: it is not on the host, and no operation has put it there.
	CauseNew Cause = "new"
	// CauseDrift: an operation had made it so, and the host was changed since.
	CauseDrift Cause = "drift"
	// CauseSpec: it is as the last operation left it, and the specification, a secret or this
	// program says otherwise now.
	CauseSpec Cause = "spec"
	// CauseUnfinished: an apply was begun and did not finish, and since then it may have been that
	// one's work.
	CauseUnfinished Cause = "unfinished"
	// CauseFollows: a restart or reload that other changes need, or a copy of what they replace.
	CauseFollows Cause = "follows"
	// CauseUnknown: it is on the host and differs, and no operation that the hosts remember has
	// written it.
	CauseUnknown Cause = "unknown"
)

// Origin tells where the thing that a change is about comes from. It is taken from the look at the
// host and from the trail of operations that the hosts keep. The digest of a plan does not cover
// it.
type Origin struct {
	Cause Cause `json:"cause,omitempty"`
	// Owner is the component that it belongs to, such as "haproxy".
	Owner string `json:"owner,omitempty"`
	// From names the fields of the specification that it is made from, or says what else it is made
	// from.
	From string `json:"from,omitempty"`
	// WrittenBy is the last operation that changed it, as "apply of alice@desk", and WrittenAt when
	// that ended; "" and zero when no host remembers one.
	WrittenBy string    `json:"written_by,omitempty"`
	WrittenAt time.Time `json:"written_at,omitzero"`
	// ChangedAt is when a file or the state of a unit last changed on the host, by this machine's
	// clock; zero where that is not known.
	ChangedAt time.Time `json:"changed_at,omitzero"`
	// FileOwner is whose the file is on the host, as "user:group". A host does not tell who changed
	// a file.
	FileOwner string `json:"file_owner,omitempty"`
}

// String says it in one line, for people: "drift: haproxy's, from balancer; written by ..., changed
// on the host ...".
func (o Origin) String() string {
	text := string(o.Cause) + ": " + o.Owner + "'s"
	if o.From != "" {
		text += ", from " + o.From
	}
	written := "; written by " + o.WrittenBy + " " + moment(o.WrittenAt)
	if o.WrittenBy == "" {
		written = "; by no operation that the hosts remember"
	}
	changed := ""
	if !o.ChangedAt.IsZero() {
		changed = ", changed on the host " + moment(o.ChangedAt)
	}
	if o.FileOwner != "" {
		changed += " (it belongs to " + o.FileOwner + ")"
	}
	switch o.Cause {
	case CauseNew, CauseFollows:
		return text
	case CauseSpec:
		return text + written + ", as it still is"
	case CauseUnfinished:
		return text + "; " + o.WrittenBy + " was begun " + moment(o.WrittenAt) +
			" and has not finished"
	case CauseDrift:
		if changed == "" {
			changed = ", changed or removed since"
		}
	}
	return text + written + changed
}

func moment(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05 MST") }

// written is the last operation that touched something.
type written struct {
	by, action string
	at         time.Time
}

// lastWritten finds, for all things of all hosts, the operation that touched them last. The records
// are in order.
func lastWritten(operations []trail.OperationRecord) map[trail.RecordedChange]written {
	last := map[trail.RecordedChange]written{}
	for _, o := range operations {
		holder, _, _ := strings.Cut(o.Holder, ", process ")
		end := o.Time.Add(time.Duration(o.Seconds * float64(time.Second)))
		for _, ch := range o.Changes {
			if key := (trail.RecordedChange{Host: ch.Host, Kind: ch.Kind,
				Name: ch.Name}); !last[key].at.After(end) {
				last[key] = written{fmt.Sprintf("%s of %s", o.Verb, holder), ch.Action,
					end.UTC().Round(time.Second)}
			}
		}
	}
	return last
}

// slack is how long after an operation's end its own changes may seem to have been made: clocks are
// read over a network.
const slack = 2 * time.Second

// originOf tells where the thing comes from that a change is about.
func originOf(host layout.Host, ch PlannedChange, was *remote.Was, last written) Origin {
	o := Origin{WrittenBy: last.by, WrittenAt: last.at, Cause: causeOf(ch, was, last)}
	o.Owner, o.From = ownerOf(host, ch)
	if was != nil {
		o.ChangedAt, o.FileOwner = was.Changed, was.Owner
	}
	return o
}

func causeOf(ch PlannedChange, was *remote.Was, last written) Cause {
	known := last.by != ""
	switch {
	case ch.Kind == "unit" && (ch.Action == "restarted" || ch.Action == "reloaded"),
		ch.Kind == "copy":
		return CauseFollows
	case was != nil && slices.Contains([]string{"role", "database", "schema", "extension"}, ch.Kind):
		return CauseUnknown // the server does not tell when it changed
	case ch.Kind == "setting", ch.Name == timeZone && !known:
		return CauseUnknown // there always is one; settings are looked at by themselves
	case known && ch.Kind == "command" && last.action != ch.Action:
		return CauseSpec // what it was set to is not what is wanted now
	case was == nil && (!known || last.action == "removed"):
		return CauseNew
	case !known:
		return CauseUnknown
	case was == nil, ch.Kind == "unit", ch.Kind == "package", was.Changed.After(last.at.Add(slack)):
		return CauseDrift
	}
	return CauseSpec
}

// unfinishedApply is the last apply among the operations, if it was cut off, has failed or still
// continues.
func unfinishedApply(operations []trail.OperationRecord) (trail.OperationRecord, bool) {
	for _, o := range slices.Backward(operations) {
		if o.Verb == "apply" {
			return o, !o.Finished || o.Error != ""
		}
	}
	return trail.OperationRecord{}, false
}

// blame lays a change that looks like somebody's own on an apply that did not finish, unless it was
// made before that began: what that one has written or left out is nobody's wish.
func (o Origin) blame(apply trail.OperationRecord) Origin {
	if o.Cause != CauseDrift && o.Cause != CauseUnknown || !o.ChangedAt.IsZero() &&
		o.ChangedAt.Before(apply.Time.Add(-slack)) {
		return o
	}
	holder, _, _ := strings.Cut(apply.Holder, ", process ")
	o.Cause, o.WrittenBy, o.WrittenAt = CauseUnfinished, "apply of "+holder, apply.Time
	return o
}
