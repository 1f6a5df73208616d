package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pgha/toolkit/pgha/drill"
)

// lane is one row of bands.
type lane struct {
	Name, Kind string
	Bands      []band
	// Summary says it in words.
	Summary string
}

// band is a time during which something was so.
type band struct {
	X, W string
	// Class says how it is drawn; it never comes from data.
	Class string
	// Text stands in it where there is room: the row has to be at least Need pixels wide, one of
	// the steps of the style. Empty: never.
	Text string
	Need string
	// Title says what was so and from when until when.
	Title string
}

// what was so from a moment on.
type state struct {
	from, to time.Time
	class    string
	text     string // drawn in the band
	words    string // said in titles and summaries
}

// lanesOf returns the leaders', the address's and the members' bands.
func lanesOf(w window, run drill.RunResult) []lane {
	rec := run.Recording
	lanes := []lane{
		holderLane(w, rec, "Patroni leader", rec.Members,
			func(l drill.Leadership) []string { return one(l.Patroni) }),
		holderLane(w, rec, "etcd leader", rec.Members,
			func(l drill.Leadership) []string { return one(l.Etcd) }),
		holderLane(w, rec, "Address holder", rec.Balancers,
			func(l drill.Leadership) []string { return l.Address }),
	}
	for _, m := range rec.Members {
		lanes = append(lanes, memberLane(w, rec, m))
	}
	return lanes
}

func one(name string) []string {
	if name == "" {
		return nil
	}
	return []string{name}
}

// holderLane draws who held something: each holder in a tone of its own, nobody hatched, several as
// an alarm.
func holderLane(w window, rec drill.Recording, name string, hosts []string,
	who func(drill.Leadership) []string) lane {
	var states []state
	// hosts of etcd may have other names than the members of Patroni: they get the tones in turn
	hosts = slices.Clone(hosts)
	for i, l := range rec.Leadership {
		s := state{from: l.At, to: rec.Ended}
		if i+1 < len(rec.Leadership) {
			s.to = rec.Leadership[i+1].At
		}
		switch holders := who(l); len(holders) {
		case 0:
			s.class, s.text, s.words = "nobody", "nobody", "nobody"
		case 1:
			if !slices.Contains(hosts, holders[0]) {
				hosts = append(hosts, holders[0])
			}
			s.class = fmt.Sprintf("tone%d", slices.Index(hosts, holders[0])%4)
			s.text, s.words = holders[0], holders[0]
		default:
			s.class, s.text = "double", strings.Join(holders, " + ")
			s.words = strings.Join(holders, " and ") + " at once"
		}
		states = merge(states, s)
	}
	return drawLane(w, name, "holder", states)
}

// unasked is the time without an answer after which a member's role is left blank.
const unasked = 3 * time.Second

// memberLane draws a member's role.
func memberLane(w window, rec drill.Recording, member string) lane {
	var states []state
	for _, m := range rec.States {
		if m.Member != member {
			continue
		}
		s := state{from: m.Asked, to: m.Answered}
		switch m.Role {
		case drill.Writable:
			s.class, s.text, s.words = "writable", "takes writes", "takes writes"
		case drill.Blocked:
			s.class, s.text, s.words = "blocked", "writes wait", "out of recovery, but writes wait"
		case drill.ReadOnly:
			s.class, s.words = "readonly", "read only"
		default:
			s.class, s.text, s.words = "down", "down", "down"
		}
		if n := len(states); n > 0 && s.from.Sub(states[n-1].to) < unasked {
			states[n-1].to = s.from
		}
		states = merge(states, s)
	}
	return drawLane(w, member, "member", states)
}

// merge appends a state, or lengthens the last one where nothing changed.
func merge(states []state, s state) []state {
	if n := len(states); n > 0 && states[n-1].words == s.words && !s.from.After(states[n-1].to) {
		states[n-1].to = s.to
		return states
	}
	return append(states, s)
}

func drawLane(w window, name, kind string, states []state) lane {
	l := lane{Name: name, Kind: kind}
	var words []string
	for _, s := range states {
		if s.to.Before(w.From) || s.from.After(w.To) {
			continue
		}
		b := w.band(s.from, s.to)
		b.Class, b.Title = s.class, s.words+", "+w.span(s.from, s.to)
		b.label(s.text, clamp(w.at(s.to))-clamp(w.at(s.from)))
		l.Bands = append(l.Bands, b)
		words = append(words, b.Title)
	}
	if more := len(words) - 12; more > 0 {
		words = append(words[:12], fmt.Sprintf("and %d more changes", more))
	}
	l.Summary = name + ": " + strings.Join(words, "; ")
	if len(words) == 0 {
		l.Summary = name + ": nothing known"
	}
	return l
}

// band places a time within the edges.
func (w window) band(from, to time.Time) band {
	x := clamp(w.at(from))
	return band{X: percent(x), W: percent(clamp(w.at(to)) - x)}
}

// span says from when until when. What lies beyond the picture is not said.
func (w window) span(from, to time.Time) string {
	start, end := signed(w.seconds(from)), signed(w.seconds(to))
	switch before, after := from.Before(w.From), to.After(w.To); {
	case before && after:
		return "all the time"
	case before:
		return "until " + end
	case after:
		return "from " + start
	}
	return start + " to " + end
}

// label sets the text of a band that takes up this share of the row.
func (b *band) label(text string, share float64) {
	width := float64(8*len([]rune(text)) + 12)
	for _, need := range []int{240, 340, 480, 640, 800, 960} {
		if text != "" && width <= share*float64(need) {
			b.Text, b.Need = text, fmt.Sprintf("n%d", need)
			return
		}
	}
}
