package model

import (
	"fmt"
	"slices"
	"strings"
)

// A Trace is how something was reached: one line a step, in order.
type Trace []string

func (t Trace) String() string { return strings.Join(t, "\n") }

// Result is what the exploration found.
type Result struct {
	// States is how many there are, apart from the order of members.
	States int
	// Wrong is the promise that was broken first, "" if none is in any order of steps.
	Wrong string
	// Trace leads there, by as few steps as possible.
	Trace Trace
	// Seen are the names of the steps that were ever possible.
	Seen map[string]int
	// Fast says that a new leader was promoted while the old one did not know yet that its key was
	// taken away: the failover that all this is for.
	Fast bool
}

// origin is how a state was reached first.
type origin struct {
	from int32
	step uint8
}

// Explore takes every order of steps, breadth first, and stops at the first state in which a
// promise is broken. It needs memory for every state, and reads and changes nothing else.
func Explore(c Cluster, r Rules) Result {
	res := Result{Seen: map[string]int{}}
	names, ids := []string{""}, map[string]uint8{}
	known := map[packed]struct{}{}
	var queue []packed
	var origins []origin
	add := func(s state, o origin) bool {
		s = s.canonical()
		p := s.packed()
		if _, ok := known[p]; ok {
			return true
		}
		if !s.primary && s.wrong() == "" {
			return true // what may come of it was judged
		}
		known[p] = struct{}{}
		queue, origins = append(queue, p), append(origins, o)
		res.Fast = res.Fast || s.taken && s.stage == promoted
		res.Wrong = s.wrong()
		return res.Wrong == ""
	}
	add(c.start(), origin{from: -1})
	for at := 0; at < len(queue) && res.Wrong == ""; at++ {
		from := queue[at].state()
		r.next(c, from, func(name string, of int, to state) {
			if res.Wrong != "" {
				return
			}
			id, ok := ids[name]
			if !ok {
				id = uint8(len(names))
				names, ids[name] = append(names, name), id
			}
			res.Seen[name]++
			fine := add(to, origin{int32(at), id})
			if name == "Delete" && from.paused {
				fine, res.Wrong = false, "the leader key of a paused cluster was taken away"
			}
			if !fine {
				res.Trace = trace(c, r, queue, origins, names)
			}
		})
	}
	res.States = len(queue)
	return res
}

// trace writes down how the last state was reached. It takes the steps again, so that members keep
// their numbers.
func trace(c Cluster, r Rules, queue []packed, origins []origin, names []string) Trace {
	var path []int
	for at := len(queue) - 1; at > 0; at = int(origins[at].from) {
		path = append(path, at)
	}
	slices.Reverse(path)
	s := c.start().forget()
	t := Trace{"at first: " + s.String()}
	for _, at := range path {
		var line string
		r.next(c, s, func(name string, of int, to state) {
			if line != "" || name != names[origins[at].step] || to.canonical().packed() != queue[at] {
				return
			}
			line, s = name, to.forget()
			if of >= 0 {
				line += fmt.Sprintf(" of %d", of+2)
			}
		})
		t = append(t, line+": "+s.String())
	}
	return t
}
