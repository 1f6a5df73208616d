package drill

import (
	"context"
	"net"
	"path/filepath"
	"time"

	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/probe"
)

// The defaults of Options.
const (
	DefaultRuns       = 1
	DefaultMendWithin = 4 * time.Minute
)

// Through says by which ports of the virtual IP a drill's writer and reader come.
type Through string

// The ways.
const (
	// ThroughBalancer are HAProxy's own ports.
	ThroughBalancer Through = "balancer"
	// ThroughPool are those of the poolers.
	ThroughPool Through = "pool"
)

// Options say what is practised. Scenarios are needed, and Consent or Lab.
type Options struct {
	// Scenarios are names of Scenarios, in the order in which they are practised.
	Scenarios []string
	// Runs of each. 0 means DefaultRuns, 1.
	Runs int
	// Rate is how many rows and reads a second, 0.1 to 1000. 0 means probe.DefaultRate, 20.
	Rate float64
	// Client is what the writer does with connections. "" means probe.KeepsConnection.
	Client probe.Client
	// Through is how the writer and the reader come. "" means ThroughBalancer. ThroughPool is
	// refused where the specification has no pooler; Scenario.Pooled ones always come by it.
	Through Through
	// Synchronous is the mode in which scenarios run that are not about one of their own; it is put
	// back at the end. "" leaves the cluster's.
	Synchronous patroni.SynchronousMode
	// Lab says that the cluster stands on a lab, and takes and gives power there. nil is a cluster
	// that somebody may need.
	Lab Lab
	// Consent has to be the cluster's name where there is no Lab.
	Consent string
	// Dial opens the connections of the writer, the reader and the questions to members. nil uses
	// this machine's network, or SSH where that does not lead to the address.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Log gets a line for each acknowledged row, on disk before the row counts. "" means
	// drill-acknowledged.log in the specification's state directory.
	Log string
	// Calm is how long writes flow before the fault. 0 means two seconds and a random part of
	// loop_wait, so that faults meet Patroni at every moment of its loop.
	Calm time.Duration
	// MendWithin bounds each wait: for writes to flow again, and for full redundancy once the fault
	// is mended. 0 means DefaultMendWithin, 4 minutes.
	MendWithin time.Duration
	// Observer receives progress; nil is allowed.
	Observer pgha.Observer
	// Done, when set, is called after each run.
	Done func(RunResult)
}

func (o Options) withDefaults(sp *pgha.Spec) Options {
	if o.Runs == 0 {
		o.Runs = DefaultRuns
	}
	if o.Rate == 0 {
		o.Rate = probe.DefaultRate
	}
	if o.Client == "" {
		o.Client = probe.KeepsConnection
	}
	if o.Through == "" {
		o.Through = ThroughBalancer
	}
	if o.MendWithin == 0 {
		o.MendWithin = DefaultMendWithin
	}
	if o.Log == "" {
		o.Log = filepath.Join(sp.StateDir, "drill-acknowledged.log")
	}
	return o
}
