package host_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/pgha/toolkit/internal/hba"
	"github.com/pgha/toolkit/pgha/internal/reference"
	"github.com/pgha/toolkit/pgha/patroni/host"
)

// FuzzHBA writes names of roles into pg_hba.conf: each line must be the one rule that was meant,
// whatever the name.
func FuzzHBA(f *testing.F) {
	f.Add("postgres", "replicator")
	f.Add("all", "+group")
	f.Add("a, b", "x y#z")
	f.Add("replication", `back\`)
	f.Add("Ünïcode", "/^.*$")
	f.Fuzz(func(t *testing.T, superuser, replication string) {
		o := reference.Options().WithDefaults()
		o.Superuser.Username, o.Replication.Username, o.Rewind.Username = superuser, replication,
			"rewind"
		if len(host.CheckRoles(o)) > 0 {
			return
		}
		for _, line := range o.HBA() {
			fields, ok := hba.Fields(line)
			method := 4
			if ok && fields[0] == "local" {
				method = 3
			}
			if ok && fields[len(fields)-1] == "map="+host.IdentMap {
				fields = fields[:len(fields)-1]
			}
			if !ok || len(fields) != method+1 || !slices.Contains([]string{
				"scram-sha-256", "peer", "reject",
			}, fields[method]) {
				t.Errorf("%q is read as %q", line, fields)
				continue
			}
			if !slices.Contains([]string{"all", superuser, replication, "rewind",
				replication + ",rewind"}, fields[2]) {
				t.Errorf("%q is a rule for %q", line, fields[2])
			}
		}
		for _, role := range []string{superuser, replication} {
			// Without quotes these mean something else.
			if bare := host.HBAName(role) == role; bare &&
				(role == "all" || strings.ContainsAny(role[:1], "+/@") ||
					strings.ContainsAny(role, " \t,#")) {
				t.Errorf("%q is written without quotes", role)
			}
		}
	})
}

// FuzzHBARule writes a rule of the specification. One that is let in must be a line by itself and
// ask for a proof.
func FuzzHBARule(f *testing.F) {
	f.Add("hostssl all all 10.0.0.0/8 scram-sha-256")
	f.Add(`hostssl "a b c scram-sha-256 d" all 0.0.0.0/0 "trust"`)
	f.Add(`hostssl all all 10.0.0.0/8 scram-sha-256 \`)
	f.Add(`hostssl "all all 10.0.0.0/8 scram-sha-256`)
	f.Add(`host"ssl" all, a 0.0.0.0/0 tr"us"t`)
	f.Add("local all all peer # trust")
	f.Fuzz(func(t *testing.T, rule string) {
		o := reference.Options().WithDefaults()
		o.PgHBA = []string{rule}
		if len(host.CheckRules(o)) > 0 {
			return
		}
		if strings.HasSuffix(rule, `\`) || strings.Count(rule, `"`)%2 == 1 ||
			strings.ContainsAny(rule, "\r\n\x00") {
			t.Errorf("%q goes on in the next line", rule)
		}
		for _, word := range strings.Fields(strings.ReplaceAll(rule, `"`, "")) {
			if slices.Contains([]string{"trust", "md5"}, word) && !strings.Contains(rule, `"`) {
				t.Errorf("%q lets everybody in", rule)
			}
		}
	})
}

// FuzzConfigYAML renders config.yml with values of all kinds and reads it with Go's parser and,
// where there is one, with Python's, which is what Patroni reads it with.
func FuzzConfigYAML(f *testing.F) {
	for _, s := range []string{
		"plain", "it's \"$(id)\"", "a: b #c", "= ", "=", "yes", "0o17", "1:30", "1e3",
		"\u0085\u2028x",
		"- ", "\ttab", "~", "!!binary x", "0x_", "2026-01-01 1:00:00 +1", "+.inf",
		"190:20:30.15", "<<",
		strings.Repeat("é✓ ", 70),
	} {
		f.Add("work_mem", s)
	}
	python := newPyYAML(f)
	f.Fuzz(func(t *testing.T, name, value string) {
		o := reference.Options()
		o.Parameters = map[string]any{name: value}
		o.PgHBA = []string{"hostssl " + host.HBAName(value) + " all 10.0.0.0/8 scram-sha-256"}
		o = o.WithDefaults()
		if len(host.CheckRoles(o))+len(host.CheckParameters(o))+len(host.CheckRules(o)) > 0 ||
			!utf8.ValidString(name+value) {
			return
		}
		text, err := host.Config(o, o.Members[0])
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]string{"value": value, "hba": strings.Join(o.HBA(), "\n")}
		if diff := cmp.Diff(want, readBack(t, text, name)); diff != "" {
			t.Errorf("Go reads another file (-want +got):\n%s\n%s", diff, text)
		}
		if diff := cmp.Diff(want, python.readBack(t, text, name)); diff != "" {
			t.Errorf("Python reads another file (-want +got):\n%s\n%s", diff, text)
		}
	})
}

func readBack(t *testing.T, text []byte, name string) map[string]string {
	t.Helper()
	var got struct {
		Bootstrap struct {
			DCS struct {
				PostgreSQL struct{ Parameters map[string]string }
			}
		}
		PostgreSQL struct {
			PgHBA []string `yaml:"pg_hba"`
		}
	}
	if err := yaml.Unmarshal(text, &got); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return map[string]string{
		"value": got.Bootstrap.DCS.PostgreSQL.Parameters[strings.ToLower(name)],
		"hba":   strings.Join(got.PostgreSQL.PgHBA, "\n"),
	}
}

// pyYAML is a Python process that reads config.yml as Patroni does.
type pyYAML struct {
	in  *json.Encoder
	out *bufio.Reader
}

const pyYAMLProgram = `
import json, sys, yaml
for line in sys.stdin:
    ask = json.loads(line)
    try:
        c = yaml.safe_load(ask["text"])
        p = c["postgresql"]
        answer = {"hba": "\n".join(p["pg_hba"]),
                  "value": c["bootstrap"]["dcs"]["postgresql"]["parameters"][ask["name"]]}
    except Exception as e:
        answer = {"error": repr(e)}
    print(json.dumps(answer), flush=True)
`

// newPyYAML returns nil where Python or its yaml module is missing.
func newPyYAML(f *testing.F) *pyYAML {
	f.Helper()
	if err := exec.CommandContext(f.Context(), "python3", "-c", "import yaml").Run(); err != nil {
		return nil
	}
	cmd := exec.CommandContext(f.Context(), "python3", "-c", pyYAMLProgram)
	in, err := cmd.StdinPipe()
	if err != nil {
		f.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		f.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait() // killed with the test's context, or at the end of its input
	})
	return &pyYAML{json.NewEncoder(in), bufio.NewReader(out)}
}

// readBack is what Python reads. Without Python it is what Go reads.
func (p *pyYAML) readBack(t *testing.T, text []byte, name string) map[string]string {
	t.Helper()
	if p == nil {
		return readBack(t, text, name)
	}
	if err := p.in.Encode(map[string]string{"text": string(text),
		"name": strings.ToLower(name)}); err != nil {
		t.Fatal(err)
	}
	line, err := p.out.ReadBytes('\n')
	if err != nil {
		t.Fatal(err)
	}
	raw := map[string]any{}
	if err := json.Unmarshal(bytes.TrimSpace(line), &raw); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for key, value := range raw {
		if text, ok := value.(string); ok {
			got[key] = text
		} else {
			got[key] = fmt.Sprintf("%T %v", value, value)
		}
	}
	return got
}
