package trial

import (
	_ "embed"
	"path"
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

// presentScript prints the files that Patroni has written, each behind a line "==> PATH <==".
//
//go:embed present.sh
var presentScript string

// PresentQuestion is the command that reads the files of the server in a data directory;
// ReadPresent reads its answer. It changes nothing and takes some milliseconds.
func PresentQuestion(dataDir string) []string {
	return []string{"sh", "-c", presentScript, "present", dataDir}
}

// ReadPresent reads the answer to PresentQuestion.
func ReadPresent(answer string) Present {
	files := divide(answer, func(line string) (string, bool) {
		head, ok := strings.CutPrefix(line, "==> ")
		return path.Base(strings.TrimSuffix(head, " <==\n")), ok
	})
	settings, made := files["postgresql.conf"]
	if !made {
		return Present{}
	}
	return Present{Made: true, Settings: readSettings(settings),
		Rules: readLines(files["pg_hba.conf"]), Ident: readLines(files["pg_ident.conf"])}
}

// sections divides a text at its lines "== NAME".
func sections(text string) map[string]string {
	return divide(text, func(line string) (string, bool) {
		name, ok := strings.CutPrefix(line, "== ")
		return strings.TrimSpace(name), ok
	})
}

// divide divides a text at its headings, which head tells with their names.
func divide(text string, head func(line string) (name string, ok bool)) map[string]string {
	parts := map[string]string{}
	name := ""
	for line := range strings.Lines(text) {
		if n, ok := head(line); ok {
			name = n
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
