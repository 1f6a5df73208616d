package etcd

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// Alarm is what a member has raised. etcd takes no writes until it is disarmed, whichever member it is of.
type Alarm struct {
	// Member is its name; its ID in decimal where the member list does not have it.
	Member string
	// Name is etcd's: "NOSPACE" or "CORRUPT".
	Name string
}

// alarmNames are those that etcd has.
func alarmNames() []string { return []string{"NOSPACE", "CORRUPT"} }

// alarm asks a member which alarm is raised; "" when there is none, or no answer, which Health's read then tells.
func alarm(ctx context.Context, c *clientv3.Client, url string) string {
	r, err := c.Status(ctx, url)
	if err != nil {
		return ""
	}
	if all := alarms(r.Errors, nil); len(all) > 0 {
		return all[0].Name
	}
	return ""
}

// alarms finds them among what a member complains of when it is asked for its status. Unlike a list of alarms that takes
// neither a quorum nor rights: each member has those of all.
func alarms(complaints []string, members []*etcdserverpb.Member) []Alarm {
	var all []Alarm
	for _, complaint := range complaints {
		rest, ok := strings.CutPrefix(complaint, "memberID:")
		id, name, _ := strings.Cut(rest, " alarm:")
		name = strings.TrimSpace(name)
		if !ok || !slices.Contains(alarmNames(), name) {
			continue
		}
		for _, m := range members {
			if strconv.FormatUint(m.ID, 10) == id && m.Name != "" {
				id = m.Name
			}
		}
		all = append(all, Alarm{Member: id, Name: name})
	}
	return all
}
