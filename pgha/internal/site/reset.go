package site

import (
	"strings"
)

// ResetFile lies on every host of a database or of etcd from the moment a reset begins to change
// until the new cluster is there: who began it, and when. What a killed reset leaves is reported by
// it.
const ResetFile = "/var/lib/pgha/reset"

// LookAtReset prints the mark, and nothing while the one who left it still works: he holds the
// hosts' lock.
var LookAtReset = []string{"sh", "-c", `[ -s "$1" ] && flock -n "$2" true && cat "$1"`, "look",
	ResetFile, HostLock}

// UnfinishedReset says what an interrupted reset's mark on a host means, or "" where there is none.
func UnfinishedReset(mark string) string {
	mark = strings.TrimSpace(mark)
	if mark == "" {
		return ""
	}
	return "a reset was begun by " + mark + " and not finished: some of the data may be gone"
}
