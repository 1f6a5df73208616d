package etcd

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/pgha/errs"
)

// FuzzEnvironment renders etcd.env and reads it as systemd does: every variable must come back as
// it was.
func FuzzEnvironment(f *testing.F) {
	f.Add("pg1", "demo", "/var/lib/etcd")
	f.Add("a.b-c_d", "T0.ken", "/srv/.x/y-z")
	f.Add("pg1\n", "a\"b", "/x $y")
	f.Add("é", "a\\", "/x\r")
	f.Fuzz(func(t *testing.T, name, token, dir string) {
		o := plainOptions()
		o.Members[0].Name, o.Token, o.DataDir = name, token, dir
		var p problems
		o.checkMembers(&p)
		o.checkSettings(&p)
		for _, e := range p {
			if !strings.HasSuffix(e.Error(), "has no target") {
				return
			}
		}
		want := map[string]string{
			"ETCD_INITIAL_CLUSTER_STATE": founding.state, emptyVariable: founding.mayStartEmpty,
			digestVariable: o.digest(o.Members[0]),
		}
		for _, s := range o.settings(o.Members[0], nil) {
			want[s.name] = s.value
		}
		if diff := cmp.Diff(want,
			asSystemd(string(o.environment(o.Members[0], founding)))); diff != "" {
			t.Errorf("-want +systemd:\n%s", diff)
		}
		if strings.Count(string(o.service()),
			"\n") != strings.Count(string(plainOptions().service()), "\n") {
			t.Errorf("the unit has another number of lines:\n%s", o.service())
		}
	})
}

// FuzzQuote writes any value without control characters and reads it as systemd does.
func FuzzQuote(f *testing.F) {
	f.Add("a \"b\" \\ $c `d` é")
	f.Add(`\`)
	f.Add(" # ; ' ")
	f.Fuzz(func(t *testing.T, value string) {
		if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' }) {
			return // Validate lets none of them through
		}
		if got := asSystemd("# comment\nNAME=" + quote(value) +
			"\nOTHER=1\n"); got["NAME"] != value ||
			got["OTHER"] != "1" || len(got) != 2 {
			t.Errorf("%q is read as %q", value, got)
		}
	})
}

// FuzzUnit adds a directive to the unit: it must stay one line of its section.
func FuzzUnit(f *testing.F) {
	f.Add("CPUWeight=1000")
	f.Add("Environment=A=b \\")
	f.Add("X=\n[Unit]")
	f.Add("ExecStart=")
	f.Fuzz(func(t *testing.T, line string) {
		o := plainOptions()
		before := strings.Split(string(o.service()), "\n")
		o.Unit = []string{line}
		var p problems
		o.checkSettings(&p)
		if errs.Join(p...) != nil {
			return
		}
		after := strings.Split(string(o.service()), "\n")
		if len(after) != len(before)+2 || strings.HasSuffix(line, `\`) {
			t.Errorf("%q does not stay a line of its own", line)
		}
	})
}

// asSystemd reads an environment file as systemd.exec(5) says: "#" and ";" begin comment lines, a
// value in double quotes ends with the next one, and a backslash in it stands before a double
// quote, a backslash, a dollar or a backtick.
func asSystemd(text string) map[string]string {
	values := map[string]string{}
	for rest := text; rest != ""; {
		if rest[0] == '#' || rest[0] == ';' || rest[0] == '\n' {
			_, rest, _ = strings.Cut(rest, "\n")
			continue
		}
		name, after, found := strings.Cut(rest, `="`)
		if !found {
			name, after, _ = strings.Cut(rest, "=")
			values[name], rest, _ = strings.Cut(after, "\n")
			continue
		}
		if plain, value, _ := strings.Cut(rest, "="); len(plain) < len(name) {
			values[plain], rest, _ = strings.Cut(value, "\n")
			continue
		}
		var value strings.Builder
		i := 0
		for ; i < len(after) && after[i] != '"'; i++ {
			if after[i] == '\\' && i+1 < len(after) &&
				strings.IndexByte("\"\\$`", after[i+1]) >= 0 {
				i++
			}
			value.WriteByte(after[i])
		}
		values[name] = value.String()
		_, rest, _ = strings.Cut(after[min(i+1, len(after)):], "\n")
	}
	return values
}
