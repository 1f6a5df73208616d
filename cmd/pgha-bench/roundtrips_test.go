package main

import (
	"testing"
	"time"
)

func TestLongestChain(t *testing.T) {
	t.Parallel()
	at := func(from, to int) wait {
		start := time.Unix(1_800_000_000, 0)
		return wait{asked: start.Add(time.Duration(from) * time.Second), answered: start.Add(time.Duration(to) * time.Second)}
	}
	for name, tt := range map[string]struct {
		waits []wait
		want  int
	}{
		"none":                     {nil, 0},
		"one":                      {[]wait{at(0, 1)}, 1},
		"one after the other":      {[]wait{at(4, 5), at(0, 1), at(2, 3)}, 3},
		"all at once":              {[]wait{at(0, 3), at(1, 4), at(2, 5)}, 1},
		"a long one beside two":    {[]wait{at(0, 9), at(1, 2), at(3, 4)}, 2},
		"the next at the same end": {[]wait{at(0, 1), at(1, 2)}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := longestChain(tt.waits); got != tt.want {
				t.Errorf("got %d, want %d", got, tt.want)
			}
		})
	}
}
