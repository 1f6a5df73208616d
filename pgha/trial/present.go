package trial

import (
	"regexp"
	"strings"
)

// Present is what stands in the files of a server that was made before.
type Present struct {
	// Made reports whether there is one at all; without it the rest is empty.
	Made bool
	// Settings are those of the file that Patroni writes, by names in lower case.
	Settings map[string]string
	// Rules and Ident are the lines of pg_hba.conf and pg_ident.conf, without comments.
	Rules, Ident []string
}

// presentScript prints the files that Patroni has written, each behind a line "== NAME".
const presentScript = `[ -f "$1/PG_VERSION" ] || exit 0
echo "== settings"; cat "$1/postgresql.conf"
echo "== rules"; cat "$1/pg_hba.conf"
echo "== ident"; cat "$1/pg_ident.conf"`

// PresentQuestion is the command that reads the files of the server in a data directory;
// ReadPresent reads its answer. It changes nothing and takes some milliseconds.
func PresentQuestion(dataDir string) []string {
	return []string{"sh", "-c", presentScript, "present", dataDir}
}

// ReadPresent reads the answer to PresentQuestion.
func ReadPresent(answer string) Present {
	parts := sections(answer)
	if _, made := parts["settings"]; !made {
		return Present{}
	}
	return Present{Made: true, Settings: readSettings(parts["settings"]),
		Rules: readLines(parts["rules"]),
		Ident: readLines(parts["ident"])}
}

// sections divides a text at its lines "== NAME".
func sections(text string) map[string]string {
	parts := map[string]string{}
	name := ""
	for line := range strings.Lines(text) {
		if n, ok := strings.CutPrefix(line, "== "); ok {
			name = strings.TrimSpace(n)
			parts[name] += ""
			continue
		}
		parts[name] += line
	}
	return parts
}

// assignment is a line as Patroni writes it: name = 'value'.
var assignment = regexp.MustCompile(`^(\w[\w.]*) = '(.*)'$`)

func readSettings(text string) map[string]string {
	found := map[string]string{}
	for line := range strings.Lines(text) {
		if m := assignment.FindStringSubmatch(strings.TrimRight(line, "\n")); m != nil {
			found[strings.ToLower(m[1])] = strings.NewReplacer(`''`, `'`, `\\`, `\`).Replace(m[2])
		}
	}
	return found
}

func readLines(text string) []string {
	var found []string
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if line != "" && !strings.HasPrefix(line, "#") {
			found = append(found, line)
		}
	}
	return found
}
