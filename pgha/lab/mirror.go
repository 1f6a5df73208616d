package lab

import (
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// debianSuites are the suites that tell a Debian mirror from any other
// repository; security and third-party ones have other names.
var debianSuites = []string{
	"oldstable", "stable", "testing", "unstable",
	"bullseye", "bookworm", "trixie", "forky", "duke", "sid",
}

// machineMirror finds the Debian mirror in the machine's own apt sources; ""
// when they name none.
func machineMirror(etcApt string) string {
	deb822, _ := filepath.Glob(filepath.Join(etcApt, "sources.list.d", "*.sources"))
	for _, file := range deb822 {
		if text, err := os.ReadFile(file); err == nil {
			if mirror := mirrorFromDeb822(string(text)); mirror != "" {
				return mirror
			}
		}
	}
	lists, _ := filepath.Glob(filepath.Join(etcApt, "sources.list.d", "*.list"))
	for _, file := range append([]string{filepath.Join(etcApt, "sources.list")}, lists...) {
		if text, err := os.ReadFile(file); err == nil {
			if mirror := mirrorFromList(string(text)); mirror != "" {
				return mirror
			}
		}
	}
	return ""
}

// mirrorFromDeb822 reads the .sources format: stanzas of "Key: values".
func mirrorFromDeb822(text string) string {
	var fields map[string][]string
	var key string
	for line := range strings.Lines(text + "\n\n") {
		line = strings.TrimRight(line, " \t\r\n")
		switch {
		case line == "":
			if mirror := debianMirror(fields["types"], fields["uris"], fields["suites"],
				fields["enabled"]); mirror != "" {
				return mirror
			}
			fields, key = nil, ""
		case strings.HasPrefix(line, "#"):
		case line[0] == ' ' || line[0] == '\t':
			if key != "" {
				fields[key] = append(fields[key], strings.Fields(line)...)
			}
		default:
			name, values, _ := strings.Cut(line, ":")
			if fields == nil {
				fields = map[string][]string{}
			}
			key = strings.ToLower(strings.TrimSpace(name))
			fields[key] = strings.Fields(values)
		}
	}
	return ""
}

func debianMirror(types, uris, suites, enabled []string) string {
	if !slices.Contains(types, "deb") || slices.Contains(enabled, "no") {
		return ""
	}
	if !slices.ContainsFunc(suites, func(s string) bool {
		return slices.Contains(debianSuites, s)
	}) {
		return ""
	}
	for _, uri := range uris {
		if isWebURL(uri) {
			return strings.TrimRight(uri, "/")
		}
	}
	return ""
}

// mirrorFromList reads the one-line format: deb [options] uri suite components.
func mirrorFromList(text string) string {
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		rest, ok := strings.CutPrefix(strings.Join(strings.Fields(line), " "), "deb ")
		if !ok {
			continue
		}
		if strings.HasPrefix(rest, "[") {
			_, rest, _ = strings.Cut(rest, "]")
		}
		fields := strings.Fields(rest)
		if len(fields) < 2 {
			continue
		}
		if mirror := debianMirror([]string{"deb"}, fields[:1], fields[1:2], nil); mirror != "" {
			return mirror
		}
	}
	return ""
}

func isWebURL(uri string) bool {
	u, err := url.Parse(uri)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}
