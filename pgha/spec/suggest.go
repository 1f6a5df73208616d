package spec

import (
	"strings"

	"github.com/pgha/toolkit/internal/suggest"
)

// didYouMean is a remedy that names the nearest candidate, or lists them all.
func didYouMean(word string, candidates []string) string {
	if c := suggest.Nearest(word, candidates); c != "" {
		return "did you mean " + c + "?"
	}
	if len(candidates) == 0 {
		return "remove it"
	}
	return "write one of " + strings.Join(candidates, ", ")
}
