package host

import (
	"strings"
	"testing"
)

// TestWithCopyCommand: a command comes into the file and goes again, and nothing else does.
func TestWithCopyCommand(t *testing.T) {
	t.Parallel()
	const plain = "# Written by pgha.\nscope: shop\npostgresql:\n  data_dir: /data\n  basebackup:\n    - checkpoint: fast\n"
	const command = "/usr/bin/python3 /usr/local/lib/pgha/backup-replica '/a b/c.json' 20261130-092951F"
	with, err := WithCopyCommand([]byte(plain), command)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"scope: shop\n", "data_dir: /data\n", "- pgha_backup\n", "- basebackup\n",
		"command: " + command + "\n", "no_params: true\n", "checkpoint: fast\n"} {
		if !strings.Contains(string(with), want) {
			t.Errorf("%q is not in\n%s", want, with)
		}
	}
	other, err := WithCopyCommand(with, "true")
	if err != nil || strings.Contains(string(other), "python3") ||
		!strings.Contains(string(other), "command: \"true\"\n") {
		t.Errorf("another command: %v\n%s", err, other)
	}
	without, err := WithCopyCommand(other, "")
	if err != nil || strings.Contains(string(without), "pgha_backup") ||
		strings.Contains(string(without), "create_replica") {
		t.Errorf("without: %v\n%s", err, without)
	}
	if same, err := WithCopyCommand([]byte(plain), ""); err != nil || string(same) != plain {
		t.Errorf("there is none: %v\n%s", err, same)
	}
	for text, want := range map[string]string{"": "no section", "scope: shop\n": "no section",
		"a: [": "config.yml"} {
		if _, err := WithCopyCommand([]byte(text), command); err == nil ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
