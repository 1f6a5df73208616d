package incident

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// headline is an incident in one sentence.
func headline(in Incident) string {
	parts := []string{subject(in.Cause)}
	if ledEtcd(in) {
		parts[0] += ", which led etcd, too"
	}
	parts[0] += again(in)
	made := slices.ContainsFunc(in.Events, func(e Event) bool { return e.Kind == ClusterMade })
	switch open := len(in.Gaps) > 0 && in.Gaps[len(in.Gaps)-1].Open; {
	case open:
		parts = append(parts, fmt.Sprintf("writes away for %.1f s, and still",
			in.WithoutWritesSeconds))
	case in.WithoutWritesSeconds > 0:
		parts = append(parts, fmt.Sprintf("writes away for %.1f s", in.WithoutWritesSeconds))
	case made:
		parts = append(parts, "a new cluster was made")
	default:
		parts = append(parts, "writes went on")
	}
	if in.NewLeader != "" && in.NewLeader != in.OldLeader {
		parts = append(parts, in.NewLeader+" took over")
	}
	if b := addressTaker(in); b != "" {
		parts = append(parts, b+" took the virtual IP")
	}
	if in.Loss != nil {
		switch {
		case in.Loss.Known && in.Loss.Bytes == 0:
			parts = append(parts, "nothing lost")
		case in.Loss.Known:
			parts = append(parts, fmt.Sprintf("up to %d bytes of WAL not replicated",
				in.Loss.Bytes))
		case !in.Loss.UpTo.IsZero():
			parts = append(parts, "everything up to "+clockTime(in.Loss.UpTo)+" is there")
		default:
			parts = append(parts, "what was not replicated is not known")
		}
	}
	switch {
	case len(in.Missing) > 0:
		parts = append(parts, "not back yet: "+strings.Join(in.Missing, ", "))
	case in.Class != Disturbance && in.RedundantSeconds >= 0 && !made:
		parts = append(parts, fmt.Sprintf("redundant again after %.1f s", in.RedundantSeconds))
	}
	return strings.Join(parts, "; ")
}

// subject says what began it: "postgres-01 lost power", "alice ran switchover".
func subject(c Cause) string {
	text := strings.TrimSpace(c.Host + " " + c.Text)
	switch c.Component {
	case Operator, Host:
	case Patroni, PostgreSQL, HAProxy, Keepalived, Etcd:
		if c.Host != "" {
			text = componentName(c.Component) + " on " + c.Host + " " + c.Text
		}
	}
	switch c.Kind {
	case KernelOOM, KernelIO, LinkDown:
		text = "on " + c.Host + " " + c.Text
	case QuorumLost:
		text = c.Text
	}
	if c.By != "" && c.Kind != Operated {
		text += " (by " + c.By + ")"
	}
	if c.Confidence == Possible {
		text += " (first sign; what is behind it left no line)"
	}
	return text
}

func componentName(c Component) string {
	switch c {
	case Patroni:
		return "Patroni"
	case HAProxy:
		return "HAProxy"
	case PostgreSQL:
		return "PostgreSQL"
	}
	return string(c)
}

// addressTaker is the balancer that took the address over; "" if none did. Two may have tried
// within a moment, and the one that went on is the last of them.
func addressTaker(in Incident) string {
	var taken Event
	for _, e := range in.Events {
		if e.Kind == AddressTaken && (taken.Host == "" || e.Time.Sub(taken.Time) < time.Second) {
			taken = e
		}
	}
	return taken.Host
}

// ledEtcd tells whether etcd's leader was lost with the host that the incident began with.
func ledEtcd(in Incident) bool {
	if in.Cause.Component != Host {
		return false
	}
	return slices.ContainsFunc(in.Events,
		func(e Event) bool { return e.Kind == EtcdLeaderLost && e.Subject == in.Cause.Host })
}
