package verify

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/pgha/toolkit/pgha/contents"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/internal/leader"
	"github.com/pgha/toolkit/pgha/internal/site"
)

// contentsCheck is for a specification that names roles or databases.
func contentsCheck() check {
	return check{"roles and databases are as the specification says",
		errs.Text("%s shows what differs, %s mends it", errs.Verb("plan"), errs.Verb("apply")),
		checkContents}
}

// checkContents compares roles and databases on the leader with the specification.
func checkContents(ctx context.Context, c *site.Site) (string, error) {
	seen, err := leader.Look(ctx, c)
	if err != nil {
		return "", err
	}
	var differ []string
	for _, p := range contents.Judge(c.Spec, seen.Server) {
		differ = append(differ, p.Field+": "+p.Problem)
	}
	for _, s := range contents.Steps(c.Spec, seen.Server) {
		differ = append(differ, fmt.Sprintf("%s %s would be %s", s.Kind, s.Name, s.Action))
	}
	if len(differ) > 0 {
		return "", errors.New(strings.Join(differ, "; "))
	}
	return fmt.Sprintf("%d roles, %d databases, on %s", len(c.Spec.PGRoles),
		len(c.Spec.PGDatabases), seen.Member), nil
}
