package incident

import (
	"fmt"
	"strconv"

	"github.com/pgha/toolkit/pgha/patroni"
)

// loss compares where the old timeline ended in the new leader's history with how far the former leader had come on it.
func (c *Collector) loss(in Incident, g *group, all []Event) *Loss {
	next := newTimeline(in, g)
	if next == 0 {
		return &Loss{Text: "what was not replicated is not known: the new leader's timeline is in no line"}
	}
	l := &Loss{Timeline: next - 1}
	var switched, former patroni.LSN
	for _, h := range c.about.History {
		if h.Timeline == l.Timeline {
			switched = h.LSN
		}
	}
	var graceful, recovered bool
	for _, e := range all {
		if e.Time.Before(in.Began) {
			continue
		}
		if e.Kind == KeyTaken && in.Lock != nil && e.Time.After(in.Lock.Taken) {
			break // that is another story
		}
		at := lsn(e.fields["lsn"])
		onOld := e.fields["timeline"] == strconv.FormatInt(l.Timeline, 10)
		switch {
		case e.Kind == TimelineEnded && onOld && switched == 0:
			switched = at
		case e.Kind == TimelineEnded && onOld && in.Lock != nil && e.Time.Before(in.Lock.Taken):
			graceful = true // the former leader itself told a replica that it has everything
		case e.Kind == CrashRecovery && e.Host == in.OldLeader:
			recovered = true // which ends the WAL at the end of a segment
		case e.Kind == LastTransaction && e.Host == in.NewLeader:
			l.UpTo, _ = transactionTime(e)
		case e.Kind == LocalPosition && onOld && e.Host == in.OldLeader && at > former:
			former = at
		}
	}
	if switched != 0 {
		l.Switched = switched.String()
	}
	switch {
	case graceful:
		l.Known, l.Text = true, "nothing was lost: the old leader stopped in order and the replicas had everything"
	case switched == 0 || former == 0 || recovered && former > switched:
		l.Text = "what was not replicated is not known exactly: the old leader's last position is in no line"
		if !l.UpTo.IsZero() {
			l.Text = "the new leader has everything up to the transaction of " + clockTime(l.UpTo) + "; whether the old leader took more is in no line"
		}
	case former <= switched:
		l.Known, l.Former, l.Text = true, former.String(), "nothing was lost"
	default:
		l.Known, l.Former, l.Bytes = true, former.String(), uint64(former-switched)
		l.Text = fmt.Sprintf("%d bytes of WAL were not replicated, the record of the old leader's shutdown among them", l.Bytes)
	}
	if c.about.Synchronous && (!l.Known || l.Bytes > 0) {
		l.Text += "; commits wait for a replica (synchronous mode), so what was acknowledged is there"
	}
	return l
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
