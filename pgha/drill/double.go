package drill

import (
	"slices"
	"time"
)

// stretch is a time in which a member surely took writes.
type stretch struct {
	member     string
	start, end time.Time
}

// stretches returns when each member surely took writes: from the answer to the first write that it
// acknowledged until it was asked for the last one, as long as no answer in between says otherwise
// and PostgreSQL was not restarted. That is shorter than the truth, never longer.
func stretches(states []MemberState) []stretch {
	type open struct {
		stretch
		started time.Time
		on      bool
	}
	current := map[string]*open{}
	var all []stretch
	end := func(o *open) {
		if o.on && o.end.After(o.start) {
			all = append(all, o.stretch)
		}
		o.on = false
	}
	for _, s := range states {
		o := current[s.Member]
		if o == nil {
			o = &open{}
			current[s.Member] = o
		}
		if s.Role != Writable || o.on && !s.Started.Equal(o.started) {
			end(o)
		}
		if s.Role != Writable {
			continue
		}
		if !o.on {
			*o = open{stretch{s.Member, s.Answered, s.Answered}, s.Started, true}
		}
		o.end = s.Asked
	}
	for _, o := range current {
		end(o)
	}
	slices.SortFunc(all, func(a, b stretch) int {
		if c := a.start.Compare(b.start); c != 0 {
			return c
		}
		return a.end.Compare(b.end)
	})
	return all
}

// doubleWriters returns the times in which two members surely took writes.
func doubleWriters(states []MemberState) []Span {
	var found []Span
	all := stretches(states)
	for i, a := range all {
		for _, b := range all[i+1:] {
			if a.member == b.member {
				continue
			}
			start, end := b.start, a.end // sorted by their starts
			if b.end.Before(end) {
				end = b.end
			}
			if end.After(start) {
				names := []string{a.member, b.member}
				slices.Sort(names)
				found = append(found, Span{Start: start, End: end, Names: names})
			}
		}
	}
	return found
}

// doubleHolders returns the times in which two balancers carried the address.
func doubleHolders(r Recording) []Span {
	var found []Span
	for i, l := range r.Leadership {
		if len(l.Address) < 2 {
			continue
		}
		end := r.Ended
		if i+1 < len(r.Leadership) {
			end = r.Leadership[i+1].At
		}
		if n := len(found); n > 0 && found[n-1].End.Equal(l.At) &&
			slices.Equal(found[n-1].Names, l.Address) {
			found[n-1].End = end
			continue
		}
		found = append(found, Span{Start: l.At, End: end, Names: l.Address})
	}
	return found
}
