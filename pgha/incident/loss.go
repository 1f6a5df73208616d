package incident

import (
	"fmt"
	"strconv"
	"time"

	"github.com/pgha/toolkit/pgha/patroni"
)

// loss compares where the old timeline ended in the new leader's history with how far the former
// leader had come on it.
func (c *Collector) loss(in Incident, g *group, all []Event) *Loss {
	next := newTimeline(in, g)
	if next == 0 {
		return &Loss{Text: "what was not replicated is not known: the new leader's timeline is " +
			"in no line"}
	}
	l := &Loss{Timeline: next - 1}
	e := c.ends(in, all, l.Timeline)
	if l.UpTo = e.upTo; e.switched != 0 {
		l.Switched = e.switched.String()
	}
	switch {
	case e.graceful:
		l.Known = true
		l.Text = "nothing was lost: the old leader stopped in order and the replicas had everything"
	case e.unknown():
		l.Text = "what was not replicated is not known exactly: the old leader's last position " +
			"is in no line"
		if !l.UpTo.IsZero() {
			l.Text = "the new leader has everything up to the transaction of " + clockTime(l.UpTo) +
				"; whether the old leader took more is in no line"
		}
	case e.former <= e.switched:
		l.Known, l.Former, l.Text = true, e.former.String(), "nothing was lost"
	default:
		l.Known, l.Former, l.Bytes = true, e.former.String(), uint64(e.former-e.switched)
		l.Text = fmt.Sprintf(
			"%d bytes of WAL were not replicated, the record of the old leader's shutdown "+
				"among them", l.Bytes)
	}
	if c.about.Synchronous && (!l.Known || l.Bytes > 0) {
		l.Text += "; commits wait for a replica (synchronous mode), so what was acknowledged " +
			"is there"
	}
	return l
}

// ends is how far both leaders had come on the old timeline.
type ends struct {
	// where the new leader left it, where the former one ended; 0: no line says
	switched, former patroni.LSN
	graceful         bool // the former leader itself told a replica that it has everything
	// crash recovery moved the former leader's end to that of a segment
	recovered bool
	upTo      time.Time // of the last transaction that the new leader has
}

// unknown: an end is missing, or cannot be told from what crash recovery added.
func (e ends) unknown() bool {
	return e.switched == 0 || e.former == 0 || e.recovered && e.former > e.switched
}

// ends reads them from Patroni's history, and from what was said between the beginning of the
// incident and the next change of the leader.
func (c *Collector) ends(in Incident, all []Event, timeline int64) ends {
	var e ends
	for _, h := range c.about.History {
		if h.Timeline == timeline {
			e.switched = h.LSN
		}
	}
	old := strconv.FormatInt(timeline, 10)
	for _, x := range all {
		if x.Time.Before(in.Began) {
			continue
		}
		if x.Kind == KeyTaken && in.Lock != nil && x.Time.After(in.Lock.Taken) {
			break // that is another story
		}
		e.take(x, in, x.fields["timeline"] == old)
	}
	return e
}

// take takes what one event says; onOld: of the old timeline.
func (e *ends) take(x Event, in Incident, onOld bool) {
	at := lsn(x.fields["lsn"])
	switch x.Kind {
	case TimelineEnded:
		switch {
		case onOld && e.switched == 0:
			e.switched = at
		case onOld && in.Lock != nil && x.Time.Before(in.Lock.Taken):
			e.graceful = true
		}
	case CrashRecovery:
		e.recovered = e.recovered || x.Host == in.OldLeader
	case LastTransaction:
		if x.Host == in.NewLeader {
			e.upTo, _ = transactionTime(x)
		}
	case LocalPosition:
		if onOld && x.Host == in.OldLeader {
			e.former = max(e.former, at)
		}
	}
}

// newTimeline is the one that the new leader began.
func newTimeline(in Incident, g *group) int64 {
	var timeline int64
	for _, e := range g.events {
		if e.Kind == TimelineSwitched && e.Host == in.NewLeader {
			timeline, _ = strconv.ParseInt(e.fields["timeline"], 10, 64)
		}
	}
	return timeline
}

func lsn(text string) patroni.LSN {
	var at patroni.LSN
	if at.UnmarshalText([]byte(text)) != nil {
		return 0
	}
	return at
}
