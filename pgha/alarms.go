package pgha

import (
	"fmt"

	"github.com/pgha/toolkit/pgha/change"
)

// judgeAlarms tells of alarms of etcd's. They do not stop apply: what it does before etcd may be what the cluster lacks. The
// phase of etcd then fails at once.
func judgeAlarms(store *change.Store) []Finding {
	if store == nil {
		return nil
	}
	remedies := map[string]string{
		"NOSPACE": "run pgha-cli doctor --fix etcd-no-space, which makes room and takes the alarm off; a member that is away meanwhile raises it anew when it is back: once more then",
		"CORRUPT": "pgha-cli doctor says how the member whose data differs is found and replaced",
	}
	var found []Finding
	for _, a := range store.Alarms {
		found = append(found, Finding{Problem: fmt.Sprintf("etcd takes no writes: %s has raised the alarm %s", a.Member, a.Name), Remedy: remedies[a.Name], Warning: true})
	}
	return found
}
