package doctor

import (
	"cmp"
	"slices"
)

// fold puts every finding that another explains under that one, the first in the rules' order that
// does, and returns the causes that are left, errors first. Chains are laid flat: what a symptom
// explains is a symptom of the cause. Of two that explain each other the earlier is the cause.
func fold(found []Finding) []Finding {
	parent := make([]int, len(found))
	for i := range parent {
		parent[i] = i
	}
	root := func(i int) int {
		for parent[i] != i {
			i = parent[i]
		}
		return i
	}
	for cause, f := range found {
		for i, g := range found {
			if parent[i] == i && root(cause) != i && explains(f, g) {
				parent[i] = cause
			}
		}
	}
	causes := map[int]*Finding{}
	var order []int
	for i := range found {
		if parent[i] == i {
			causes[i] = &found[i]
			order = append(order, i)
		}
	}
	for i, f := range found {
		if parent[i] != i {
			cause := causes[root(i)]
			cause.Symptoms = append(cause.Symptoms, f)
			if f.Severity == Error {
				cause.Severity = Error
			}
		}
	}
	list := make([]Finding, len(order))
	for n, i := range order {
		list[n] = *causes[i]
	}
	rank := map[Severity]int{Error: 0, Warning: 1}
	slices.SortStableFunc(list, func(a, b Finding) int {
		return cmp.Compare(rank[a.Severity], rank[b.Severity])
	})
	return list
}

func explains(cause, effect Finding) bool {
	return slices.ContainsFunc(cause.explains, func(s symptom) bool { return s.matches(effect) })
}
