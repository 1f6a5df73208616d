package lab

import (
	"os"
	"path/filepath"
	"testing"
)

func TestMirrorFromDeb822(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ text, want string }{
		"second stanza": {`Types: deb
URIs: http://other.example/debian
Suites: nodistro
Components: main

# a comment
Types: deb deb-src
URIs: http://mirror.example/debian/
Suites: bookworm bookworm-updates
`, "http://mirror.example/debian"},
		"continuation": {
			"types: deb\nuris:\n https://a.example/debian\nsuites:\n# c\n trixie-updates\n trixie",
			"https://a.example/debian",
		},
		"disabled": {"Enabled: no\nTypes: deb\nURIs: http://a.example/debian\nSuites: trixie\n",
			""},
		"source only": {"Types: deb-src\nURIs: http://a.example/debian\nSuites: trixie\n", ""},
		"security": {"Types: deb\nURIs: http://a.example/debian-security\nSuites: " +
			"trixie-security\n", ""},
		"file": {"Types: deb\nURIs: file:/srv http://b.example/d\nSuites: sid\n",
			"http://b.example/d"},
		"stray indent": {" trixie\nTypes: deb\n", ""},
		"empty":        {"", ""},
	} {
		if got := mirrorFromDeb822(tc.text); got != tc.want {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
}

func TestMirrorFromList(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ text, want string }{
		"options": {
			"# deb http://no.example/debian trixie main\ndeb [arch=amd64 signed-by=/k.gpg] " +
				"http://a.example/debian trixie main", "http://a.example/debian",
		},
		"tabs":   {"deb\thttp://t.example/debian\tsid main\n", "http://t.example/debian"},
		"ubuntu": {"deb http://archive.example/ubuntu noble main\n", ""},
		"skips": {
			"deb https://apt.example/apt tool main\ndeb\thttp://x\ndeb http://b.example/debian stable main # here\n",
			"http://b.example/debian",
		},
		"truncated": {"deb http://a.example/debian\n", ""},
	} {
		if got := mirrorFromList(tc.text); got != tc.want {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
}

func TestMachineMirror(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if got := machineMirror(dir); got != "" {
		t.Errorf("no sources: %q", got)
	}
	if err := os.WriteFile(filepath.Join(dir, "sources.list"),
		[]byte("deb http://a.example/debian trixie main\n"),
		0o644); err != nil {
		t.Fatal(err)
	}
	if got := machineMirror(dir); got != "http://a.example/debian" {
		t.Errorf("sources.list: %q", got)
	}
}

func TestParseAptShell(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{"proxy='http://p.example:3142'\n": "http://p.example:3142", "": ""} {
		if got := parseAptShell(line); got != want {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
	}
}
