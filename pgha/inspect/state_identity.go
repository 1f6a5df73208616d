package inspect

import (
	"github.com/pgha/toolkit/pgha/preflight"
)

// StateNotes are the notes among the facts.
func StateNotes(facts map[string]preflight.Facts) map[string][]byte {
	notes := map[string][]byte{}
	for host, f := range facts {
		notes[host] = f.StateNote
	}
	return notes
}
