package etcdrelease

import "fmt"

// Step returns what has to be installed instead of wanted where runs runs, as "the newest of 3.6
// first", or "" where wanted can follow: a patch release up, or the next minor release. etcd reads
// no data that a later release wrote, and knows the requests of its neighbouring minor releases
// alone. What is no version, and a distribution's, can follow anything.
func Step(runs, wanted string) string {
	from, ok := parse(runs)
	to, complete := parse(wanted)
	switch {
	case !ok || !complete || from[0] != to[0]:
		return ""
	case to[1] < from[1] || to[1] == from[1] && to[2] < from[2]:
		return fmt.Sprintf("%s or later of %d.%d", runs, from[0], from[1])
	case to[1] > from[1]+1:
		return fmt.Sprintf("the newest of %d.%d first and apply, then go on from there", from[0],
			from[1]+1)
	}
	return ""
}
