package provision

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/spec"
)

// TestLayoutListsWhatApplyBrings compares the layouts with what apply brings to bare hosts by
// testdata/rendered*.sum: each lists every file and folder with owner and mode, every user, package
// and unit, and nothing else. So a file that is new has an owner, or this fails.
func TestLayoutListsWhatApplyBrings(t *testing.T) {
	t.Parallel()
	var text []byte
	for _, golden := range []string{"testdata/rendered.sum", "testdata/rendered-layouts.sum"} {
		part, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		text = append(text, part...)
	}
	for _, name := range []string{"few", "many", "witness", "apart", "combined"} {
		sp := readSpec(t, name)
		var got, want []string
		for line := range strings.Lines(string(text)) {
			if of, brought, _ := strings.Cut(strings.TrimSpace(line), " "); of == name {
				want = append(want, normal(brought))
			}
		}
		for i, h := range sp.Hosts {
			first := i == slices.IndexFunc(sp.Hosts,
				func(o spec.Host) bool { return o.Has(spec.RoleDatabase) })
			for _, line := range listedLines(site.Layout(sp, h), first, sp) {
				got = append(got, line+" "+h.Name)
			}
		}
		want = slices.DeleteFunc(want, func(line string) bool {
			kind, _, _ := strings.Cut(line, " ") // what is in PostgreSQL lies on no host's disk by name
			return slices.Contains([]string{"command", "role", "database", "schema", "extension"}, kind)
		})
		slices.Sort(got)
		slices.Sort(want)
		if diff := gocmp.Diff(slices.Compact(want), slices.Compact(got)); diff != "" {
			t.Errorf("%s (-brought +listed):\n%s", name, diff)
		}
	}
}

// normal brings a line of rendered.sum into the form of listedLines.
func normal(line string) string {
	f := strings.Fields(line)
	switch {
	case f[0] == "change": // KIND NAME ACTION HOST
		return strings.Join([]string{f[1], f[2], f[len(f)-1]}, " ")
	case f[0] == "directory": // -m MODE -o OWNER -g GROUP -- PATH HOST
		return fmt.Sprintf("directory %04s %s:%s %s %s", f[2], f[4], f[6], f[8], f[9])
	}
	return "file " + strings.Join(f[1:], " ") // SHA256 MODE OWNER:GROUP PATH HOST
}

func listedLines(host layout.Host, first bool, sp *spec.Spec) []string {
	var lines []string
	for _, l := range host {
		for _, f := range l.Files {
			if f.Optional && !first || l.Component == "host" && !sp.Unattended.NeedrestartExclude {
				continue
			}
			kind, mode := "file", cmp.Or(f.Mode, 0o644)
			if f.Dir {
				kind, mode = "directory", cmp.Or(f.Mode, 0o755)
			}
			lines = append(lines, fmt.Sprintf("%s %04o %s:%s %s", kind, mode,
				cmp.Or(f.Owner, "root"),
				cmp.Or(f.Group, "root"), f.Path))
		}
		for _, u := range l.Users {
			lines = append(lines, "user "+u)
		}
		for _, p := range l.Packages.Names {
			lines = append(lines, "package "+p)
		}
		for _, u := range l.Units {
			if u.Kind != layout.OnDemand {
				lines = append(lines, "unit "+u.Name)
			}
		}
	}
	return lines
}
