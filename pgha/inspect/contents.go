package inspect

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/pgha/toolkit/pgha/contents"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/internal/leader"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/preflight"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

// judgeContents finds what of the specification's roles, databases and access rules cannot be done.
// Where no cluster runs yet (fresh) they are held against one that is just made.
func judgeContents(ctx context.Context, c *site.Site, facts map[string]preflight.Facts,
	fresh bool) ([]preflight.Finding, error) {
	if !c.Spec.Contents() {
		return nil, nil
	}
	seen := leader.Fresh(c)
	if !fresh {
		var err error
		seen, err = leader.Look(ctx, c)
		if errors.Is(err, patroni.ErrNoLeader) || errors.Is(err, patroni.ErrUnavailable) {
			return []preflight.Finding{{Problem: "roles and databases cannot be compared: " +
				err.Error(), Warning: true,
				Remedy: errs.Text("%s shows how the cluster is", errs.Verb("status"))}}, nil
		}
		if err != nil {
			return nil, err
		}
	}
	var found []preflight.Finding
	for _, p := range contents.Judge(c.Spec, seen.Server) {
		found = append(found, preflight.Finding{Field: p.Field,
			Problem: p.Field + ": " + p.Problem, Remedy: p.Remedy})
	}
	if !fresh {
		found = append(found, missingExtensionPackages(c, facts)...)
	}
	return append(found, missingExtensions(ctx, c, seen)...), ctx.Err()
}

// extension is one that the specification names, and where.
type extension struct {
	spec.PGExtension
	field, database string
}

func extensionsOf(sp *spec.Spec) []extension {
	var all []extension
	for i, d := range sp.PGDatabases {
		for j, e := range d.Extensions {
			if d.Present() {
				all = append(all, extension{e, fmt.Sprintf("databases[%d].extensions[%d]", i, j),
					d.Name})
			}
		}
	}
	return all
}

// missingExtensionPackages are those that apt on a host of a running cluster, whose repositories
// are set up, does not offer.
func missingExtensionPackages(c *site.Site, facts map[string]preflight.Facts) []preflight.Finding {
	var found []preflight.Finding
	for _, e := range extensionsOf(c.Spec) {
		var hosts []string
		for _, h := range c.Spec.Databases() {
			f, asked := facts[h.Name]
			if _, offered := f.Candidates[e.Package]; asked && e.Package != "" && !offered {
				hosts = append(hosts, h.Name)
			}
		}
		if len(hosts) > 0 {
			at := strings.Join(hosts, ", ")
			found = append(found, preflight.Finding{Host: at, Field: e.field + ".package",
				Problem: fmt.Sprintf("%s.package: apt offers no %s on %s", e.field, e.Package, at),
				Remedy:  errs.Text("correct the name, or run apt-get update there")})
		}
	}
	return found
}

// missingExtensions looks on every database host for extensions that neither PostgreSQL's own
// package nor one of the specification brings: a replica that leads one day needs them as well.
func missingExtensions(ctx context.Context, c *site.Site, seen leader.Seen) []preflight.Finding {
	var wanted []extension
	argv := []string{"sh", "-c", `cd "$1" 2>/dev/null; shift; for f; do test -e "$f.control" || ` +
		`echo "$f"; done`, "extensions",
		fmt.Sprintf("/usr/share/postgresql/%d/extension", c.Spec.PostgreSQL.Version)}
	for _, e := range extensionsOf(c.Spec) {
		if e.Package == "" && !contents.Bundled(e.Name) {
			wanted = append(wanted, e)
			argv = append(argv, e.Name)
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	var mu sync.Mutex
	lacks := map[string][]string{}
	var targets []*remote.Target
	for _, h := range c.Spec.Databases() {
		if t, err := c.Target(h.Name); err == nil {
			targets = append(targets, t)
		}
	}
	_ = remote.Each(ctx, targets, func(ctx context.Context, t *remote.Target) error {
		out, err := t.Output(ctx, argv...)
		mu.Lock()
		defer mu.Unlock()
		if err == nil { // of a host that does not answer nothing is known
			lacks[t.Name] = strings.Fields(out)
		}
		return err
	})
	var found []preflight.Finding
	for _, e := range wanted {
		if inside := seen.Server.Databases[e.database].Inside; inside != nil {
			leads, err := c.MemberHost(seen.Member)
			_, available := inside.Available[e.Name]
			if err == nil && available && slices.Contains(lacks[leads.Name], e.Name) {
				continue // it lies elsewhere (extension_control_path)
			}
		}
		var hosts []string
		for _, h := range c.Spec.Databases() {
			if slices.Contains(lacks[h.Name], e.Name) {
				hosts = append(hosts, h.Name)
			}
		}
		if len(hosts) > 0 {
			at := strings.Join(hosts, ", ")
			found = append(found, preflight.Finding{Host: at, Field: e.field + ".name",
				Problem: fmt.Sprintf("%s.name: there is no extension %s on %s", e.field, e.Name, at),
				Remedy: errs.Text("write the package that brings it, such as {name: %s, package: "+
					"postgresql-%d-%s}", e.Name, c.Spec.PostgreSQL.Version,
					strings.TrimPrefix(e.Name, "pg_"))})
		}
	}
	return found
}
