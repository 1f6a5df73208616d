package report

import (
	"cmp"
	"slices"
)

// MaxTimelines is how many timelines a page has at most, some 20 to 60 kB each. Of more runs those
// are drawn, in each scenario, that broke a promise or could not be finished, the longest first,
// then the one with the longest, the shortest and the middle gap, then the rest in order, all
// scenarios in turn.
const MaxTimelines = 60

// choose picks the runs to draw, and of each scenario the one to show unfolded. The others can be
// unfolded.
func choose(all []*scenario) (drawn map[int]bool, open map[int]bool) {
	drawn, open = map[int]bool{}, map[int]bool{}
	queues := make([][]int, 0, len(all))
	for _, s := range all {
		queue := s.queue()
		open[queue[0]] = true
		queues = append(queues, queue)
	}
	for turn := 0; ; turn++ {
		more := false
		for _, q := range queues {
			if turn >= len(q) {
				continue
			}
			if more = true; len(drawn) == MaxTimelines {
				return drawn, open
			}
			drawn[q[turn]] = true
		}
		if !more {
			return drawn, open
		}
	}
}

// queue orders the indices of a scenario's runs by how much they are worth a picture.
func (s *scenario) queue() []int {
	order := make([]int, len(s.runs))
	for i := range order {
		order[i] = i
	}
	rank := map[status]int{broken: 0, unfinished: 1, kept: 2}
	slices.SortStableFunc(order, func(a, b int) int {
		x, y := s.runs[a], s.runs[b]
		return cmp.Or(cmp.Compare(rank[statusOf(x)], rank[statusOf(y)]),
			cmp.Compare(y.Outcome.GapSeconds, x.Outcome.GapSeconds))
	})
	good := slices.IndexFunc(order, func(i int) bool { return statusOf(s.runs[i]) == kept })
	if good >= 0 {
		order = append(order[:good:good], extremesFirst(order[good:])...)
	}
	for i, at := range order {
		order[i] = s.indices[at]
	}
	return order
}

// extremesFirst takes the longest, the shortest and the middle of a descending list to its front.
func extremesFirst(order []int) []int {
	n := len(order)
	front := []int{order[0]}
	for _, i := range []int{n - 1, n / 2} {
		if !slices.Contains(front, order[i]) {
			front = append(front, order[i])
		}
	}
	for _, i := range slices.Sorted(slices.Values(order)) {
		if !slices.Contains(front, i) {
			front = append(front, i)
		}
	}
	return front
}
