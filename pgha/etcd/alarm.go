package etcd

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/pgha/toolkit/pgha/errs"
)

// Alarm is what a member has raised. etcd takes no writes until it is disarmed, whichever member it
// is of.
type Alarm struct {
	// Member is its name; its ID in decimal where the member list does not have it.
	Member string
	// Name is etcd's: "NOSPACE" or "CORRUPT".
	Name string
}

// alarmNames are those that etcd has.
func alarmNames() []string { return []string{"NOSPACE", "CORRUPT"} }

// MakeRoom returns the verb that ends NOSPACE.
func MakeRoom() errs.Call { return errs.Verb("doctor", "--fix", "etcd-no-space") }

func noSpace() error {
	return errs.WithNext(ErrNoSpace, errs.Text("run %s; until then nobody can be elected, "+
		"and nothing of the cluster be changed", MakeRoom()))
}

// complaints are what a member says of itself, alarms in words and each once.
func complaints(said []string) []string {
	var list []string
	for _, text := range said {
		if name := firstAlarm([]string{text}); name != "" {
			text = "alarm " + name + ": etcd takes no writes"
		}
		if !slices.Contains(list, text) {
			list = append(list, text)
		}
	}
	return list
}

// alarm asks a member which alarm is raised; "" when there is none, or no answer, which Health's
// read then tells.
func alarm(ctx context.Context, c *clientv3.Client, url string) string {
	r, err := c.Status(ctx, url)
	if err != nil {
		return ""
	}
	return firstAlarm(r.Errors)
}

// firstAlarm is the name of one that a member complains of, or "".
func firstAlarm(complaints []string) string {
	for _, a := range alarms(complaints, nil) {
		return a.Name
	}
	return ""
}

// alarms finds them among what a member complains of when it is asked for its status. Unlike a list
// of alarms that takes neither a quorum nor rights: each member has those of all.
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
