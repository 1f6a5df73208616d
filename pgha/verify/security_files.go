package verify

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/lb"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

// guarded is a file or folder that only its owner, and perhaps a group, may look into.
type guarded struct {
	pattern      string // of path.Match
	owner, group string
	most         fs.FileMode
	optional     bool
}

// guardedFiles are those of a host, as the components' layouts list them. A key stands for
// all keys of its folder, so that one which somebody left there is looked at as well.
func guardedFiles(host layout.Host) []guarded {
	keys := map[string]bool{}
	for _, c := range host.Certificates() {
		keys[c.Key] = true
	}
	var list []guarded
	for _, f := range host.Private() {
		g := guarded{f.Path, cmp.Or(f.Owner, "root"), cmp.Or(f.Group, "root"),
			cmp.Or(f.MostMode, f.Mode), f.Optional}
		if keys[f.Path] {
			g.pattern = path.Dir(f.Path) + "/*.key"
		}
		if !slices.Contains(list, g) {
			list = append(list, g)
		}
	}
	return list
}

func checkKeyFiles(ctx context.Context, c *site.Site) (string, error) {
	members, err := c.MemberHosts()
	if err != nil {
		return "", err
	}
	err = remote.Each(ctx, members, func(ctx context.Context, t *remote.Target) error {
		h, err := c.Spec.Host(t.Name)
		if err != nil {
			return err
		}
		res, err := t.Batch(ctx, fileQuestions(c, h)...)
		if err != nil {
			return err
		}
		return errs.Reasons(judgeFiles(string(res[0].Stdout)+"\n"+string(res[1].Stdout),
			guardedFiles(c.LayoutOf(h))))
	})
	return "on " + everyMember(c) + ", and no key of a CA there", err
}

// everyMember names the hosts of databases and of etcd.
func everyMember(c *site.Site) string {
	if len(c.Spec.MemberHosts()) > len(c.Spec.Databases()) {
		return "every host of a database or of etcd"
	}
	return "every database host"
}

// fileQuestions list the files in the folders of a host that only their owner may look into, and
// the data directories alone.
func fileQuestions(c *site.Site, h spec.Host) [][]string {
	const format = "%m %u %g %p\\n"
	inside, alone := []string{"find"}, []string{"find"}
	for _, f := range c.LayoutOf(h).Private() {
		switch {
		case f.Path == c.Spec.PostgreSQL.DataDir || f.Path == c.Spec.Etcd.DataDir:
			alone = append(alone, f.Path)
		case f.Dir:
			inside = append(inside, f.Path)
		}
	}
	return [][]string{append(inside, "-maxdepth", "1", "-printf", format),
		append(alone, "-maxdepth", "0", "-printf", format)}
}

// judgeFiles compares lines of "mode owner group path" with what is guarded.
func judgeFiles(listing string, list []guarded) []string {
	var found []string
	add := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }
	missing := slices.Clone(list)
	seen := map[string]bool{}
	for line := range strings.Lines(listing) {
		f := strings.SplitN(strings.TrimSpace(line), " ", 4)
		if len(f) < 4 || seen[f[3]] {
			continue
		}
		seen[f[3]] = true
		n, err := strconv.ParseUint(f[0], 8, 12)
		if err != nil {
			continue
		}
		if base := path.Base(f[3]); strings.HasSuffix(base, "ca.key") {
			add("%s: the key of a CA must be on no host", f[3])
		}
		for _, g := range list {
			if ok, _ := path.Match(g.pattern, f[3]); !ok {
				continue
			}
			missing = slices.DeleteFunc(missing, func(m guarded) bool {
				return m.pattern == g.pattern
			})
			mode := fs.FileMode(n) & 0o777
			switch {
			case mode&^g.most != 0:
				add("%s has mode %04o, at most %04o is safe", f[3], mode, g.most)
			case f[1] != g.owner, mode&0o070 != 0 && f[2] != g.group:
				add("%s belongs to %s:%s, not %s:%s", f[3], f[1], f[2], g.owner, g.group)
			}
		}
	}
	for _, m := range missing {
		if m.optional { // only the member that forms the cluster has it
			continue
		}
		add("there is no %s", m.pattern)
	}
	return found
}

func checkBalancersVerify(ctx context.Context, c *site.Site) (string, error) {
	balancers, err := site.Finder(c.LenientTarget).All(c.Spec.Balancers())
	if err != nil {
		return "", err
	}
	if len(balancers) == 0 {
		return "the spec has no balancer", nil
	}
	err = remote.Each(ctx, balancers, func(ctx context.Context, t *remote.Target) error {
		text, err := t.Output(ctx, "cat", lb.ConfigPath)
		if err != nil {
			return err
		}
		return errs.Reasons(judgeHAProxy(text))
	})
	return "TLS 1.2 or later, checked by authority and name", err
}

// judgeHAProxy looks at what haproxy.cfg says of the connections that HAProxy opens itself.
func judgeHAProxy(config string) []string {
	var found []string
	least, verified := false, false
	for line := range strings.Lines(config) {
		words := strings.Fields(strings.SplitN(line, "#", 2)[0])
		if len(words) == 0 {
			continue
		}
		after := func(name string) string {
			if i := slices.Index(words, name); i >= 0 && i+1 < len(words) {
				return words[i+1]
			}
			return ""
		}
		switch words[0] {
		case "ssl-default-server-options":
			least = slices.Contains([]string{"TLSv1.2", "TLSv1.3"}, after("ssl-min-ver"))
		case "default-server":
			verified = after("verify") == "required" && after("ca-file") != ""
		case "server":
			if len(words) < 2 || !slices.Contains(words, "check") {
				continue
			}
			if !slices.Contains(words, "check-ssl") || after("verifyhost") == "" ||
				after("verify") == "none" {
				found = append(found, fmt.Sprintf("server %s is checked without its name or "+
					"without TLS", words[1]))
			}
		}
	}
	if !least {
		found = append(found, "checks may use TLS before 1.2 (ssl-min-ver)")
	}
	if !verified {
		found = append(found, "checks do not verify certificates (verify required ca-file)")
	}
	return found
}
