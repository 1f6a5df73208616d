package settings

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"

	"github.com/pgha/toolkit/internal/configtree"
	"github.com/pgha/toolkit/pgha/change"
	"github.com/pgha/toolkit/pgha/internal/site"
)

// inUse adds the settings that leave no room for what the servers have at this moment. They are
// asked, all at the same time, only where such a setting changes; one that does not answer keeps
// nobody from a correction.
func (j *configJudge) inUse(ctx context.Context) {
	patch := configtree.Section(j.patch, "postgresql", "parameters")
	crowded := change.Crowded()
	asked := false
	for given := range patch {
		asked = asked || slices.Contains(crowded, strings.ToLower(given)) &&
			!j.told(configtree.Parameters+given)
	}
	if !asked {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, site.SqlTimeout)
	defer cancel()
	seen := make([]*change.MemberInUse, len(j.members))
	var wg sync.WaitGroup
	for i, m := range j.members {
		wg.Go(func() {
			if use, err := memberInUse(ctx, j.cluster, m.name); err == nil {
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
	patch := configtree.Section(j.patch, "postgresql", "parameters")
	for given, value := range patch {
		text := ""
		if value != nil {
			text = fmt.Sprint(value)
		}
		if problem, way := change.Room(strings.ToLower(given), text, members); problem != "" &&
			!j.told(configtree.Parameters+given) {
			j.problem(configtree.Parameters+given, problem, way)
		}
	}
}

func memberInUse(ctx context.Context, c *site.Site, member string) (use change.InUse, err error) {
	route, err := c.MemberRoute(member)
	if err != nil {
		return use, err
	}
	err = c.WithSQL(ctx, route, func(conn *pgx.Conn) error {
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
