package inspect

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pgha/toolkit/pgha/change"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/etcd"
	"github.com/pgha/toolkit/pgha/preflight"
)

// judgeAlarms reports alarms of etcd's. They do not stop apply: what it does before etcd may be
// what the cluster lacks. The phase of etcd then fails at once.
func judgeAlarms(store *change.Store) []preflight.Finding {
	if store == nil {
		return nil
	}
	remedies := map[string]errs.Next{
		"NOSPACE": errs.Text("run %s, which makes room and takes the alarm off; a member that "+
			"is away meanwhile raises it again when it is back: once more then", etcd.MakeRoom()),
		"CORRUPT": errs.Text("%s says how the member whose data differs is found and replaced",
			errs.Verb("doctor")),
	}
	by := map[string][]string{}
	for _, a := range store.Alarms {
		by[a.Name] = append(by[a.Name], a.Member)
	}
	var found []preflight.Finding
	for _, name := range slices.Sorted(maps.Keys(by)) {
		found = append(found, preflight.Finding{Problem: fmt.Sprintf("etcd takes no writes: "+
			"alarm %s of %s",
			name, strings.Join(by[name], ", ")), Remedy: remedies[name], Warning: true})
	}
	return found
}
