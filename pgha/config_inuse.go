package pgha

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"

	"github.com/pgha/toolkit/pgha/change"
)

// inUse adds the settings that leave no room for what the servers have at this moment. They are asked, all at the same time,
// only where such a setting changes; one that does not answer keeps nobody from a correction.
func (j *configJudge) inUse(ctx context.Context) {
	patch := section(j.patch, "postgresql", "parameters")
	crowded := change.Crowded()
	asked := false
	for given := range patch {
		asked = asked || slices.Contains(crowded, strings.ToLower(given)) && !j.told(parameters+given)
	}
	if !asked {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, sqlTimeout)
	defer cancel()
	seen := make([]*change.MemberInUse, len(j.members))
	var wg sync.WaitGroup
	for i, m := range j.members {
		wg.Go(func() {
			if use, err := j.cluster.memberInUse(ctx, m.name); err == nil {
				seen[i] = &change.MemberInUse{Member: m.name, InUse: use}
			}
		})
	}
	wg.Wait()
	var members []change.MemberInUse
	for _, m := range seen {
		if m != nil {
			members = append(members, *m)
		}
	}
	j.crowded(members)
}

// crowded judges the patch by what the members have.
func (j *configJudge) crowded(members []change.MemberInUse) {
	patch := section(j.patch, "postgresql", "parameters")
	for given, value := range patch {
		text := ""
		if value != nil {
			text = fmt.Sprint(value)
		}
		if problem, way := change.Room(strings.ToLower(given), text, members); problem != "" && !j.told(parameters+given) {
			j.problem(parameters+given, problem, way)
		}
	}
}

func (c *Cluster) memberInUse(ctx context.Context, member string) (use change.InUse, err error) {
	route, err := c.memberRoute(member)
	if err != nil {
		return use, err
	}
	err = c.withSQL(ctx, route, func(conn *pgx.Conn) error {
		rows, err := conn.Query(ctx, change.InUseQuestion())
		if err != nil {
			return err
		}
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		use = change.ReadInUse(strings.Join(lines, "\n"))
		return err
	})
	return use, err
}
