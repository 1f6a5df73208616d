package patroni

import (
	"strings"
	"testing"
)

// TestPasswordsLieWhereTheyMust looks through everything that is written to the hosts.
func TestPasswordsLieWhereTheyMust(t *testing.T) {
	t.Parallel()
	o := fullOptions(t)
	if err := Install(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	for i, m := range o.Members {
		host := m.Target.Executor.(*fakeHost)
		for path, content := range host.files {
			if has := strings.Contains(content, "-password"); has != strings.HasPrefix(path,
				PasswordFile) {
				t.Errorf("%s of %s holds a password: %v", path, m.Name, has)
			}
			if strings.Contains(content, "SCRAM-SHA-256$") &&
				(i != 0 || !strings.HasPrefix(path, "/etc/patroni/roles.sql")) {
				t.Errorf("%s of %s holds a verifier", path, m.Name)
			}
		}
		for _, line := range host.done {
			if strings.HasPrefix(line, "put "+PasswordFile) != strings.HasSuffix(line,
				" -rw------- postgres") &&
				strings.Contains(line, PasswordFile) {
				t.Errorf("%s: %s", m.Name, line)
			}
		}
	}
}
