package pgha

import (
	"context"

	"github.com/pgha/toolkit/pgha/engine"
	"github.com/pgha/toolkit/pgha/event"
	"github.com/pgha/toolkit/pgha/trail"
)

const (
	PhaseStarted  = event.PhaseStarted
	PhaseFinished = event.PhaseFinished
	Changed       = event.Changed
	Progress      = event.Progress
	Warning       = event.Warning
)

// Operation is what every verb that changes a running cluster has in common. The zero value acts,
// silently.
type Operation = engine.Operation

// Phase is one named part of an Apply.
type Phase = engine.Phase

// Run is all that a Phase may use of a cluster: its specification, its hosts, how it is, and a way
// to report progress. Every connection that it returns reports changes under the phase's name, and
// holds them back while Plan runs. It is safe for concurrent use.
type Run = engine.Run

// EventKind says what an Event tells.
type EventKind = event.EventKind

// Event is one step of progress. It never holds a secret.
type Event = event.Event

// Observer receives progress events. It is called from one goroutine at a time and must not block.
type Observer = event.Observer

// OperationRecord is one operation as the hosts remember it.
type OperationRecord = trail.OperationRecord

// RecordedChange is one change of an operation, without its diff.
type RecordedChange = trail.RecordedChange

// Operations returns what was done to the cluster, the oldest first, as the hosts that answer
// remember it: an operation that only some of them know is there, too. Changes nothing.
func (c *Cluster) Operations(ctx context.Context) ([]OperationRecord, error) {
	return trail.Operations(ctx, c.site)
}
