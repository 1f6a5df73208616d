package host_test

import (
	"strings"
	"testing"

	"github.com/pgha/toolkit/pgha/internal/reference"
	"github.com/pgha/toolkit/pgha/patroni/host"
)

// TestDifferencesWithoutSecretsAreShown: config.yml is shown as long as it holds nothing but what
// the options say.
func TestDifferencesWithoutSecretsAreShown(t *testing.T) {
	t.Parallel()
	o := reference.Options()
	ours, err := host.Config(o, o.Members[0])
	if err != nil {
		t.Fatal(err)
	}
	login := strings.Index(string(ours), "    superuser:\n")
	if login < 0 {
		t.Fatalf("no login in\n%s", ours)
	}
	for name, c := range map[string]struct {
		old  string
		want bool
	}{
		"its own":             {string(ours), true},
		"another value":       {strings.Replace(string(ours), "level: INFO", "level: DEBUG", 1), true},
		"an empty file":       {"", true},
		"no YAML":             {"a: [", false},
		"a field of others":   {string(ours) + "citus: {group: 1}\n", false},
		"a comment":           {string(ours) + "# was s3cret\n", false},
		"a comment at an end": {strings.Replace(string(ours), "level: INFO", "level: INFO # x", 1), false},
		"a password in a login": {string(ours[:login]) + "    superuser:\n      password: x\n" +
			strings.TrimPrefix(string(ours[login:]), "    superuser:\n"), false},
		"a password in a setting": {strings.Replace(string(ours), "unix_socket_directories: ",
			"primary_conninfo: password=x\n    unix_socket_directories: ", 1), false},
	} {
		f := host.ConfigFile(o, ours)
		if f.Secret || f.Public == nil {
			t.Fatal("a file without a secret is hidden")
		}
		if got := f.Public([]byte(c.old)); got != c.want {
			t.Errorf("%s: shown is %v, want %v", name, got, c.want)
		}
	}
	o.Extra = map[string]any{"log": map[string]any{"level": "DEBUG"}}
	if f := host.ConfigFile(o, ours); !f.Secret {
		t.Error("what Extra brings may be a secret, and is shown")
	}
}
