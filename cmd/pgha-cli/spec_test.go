package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/pgha/toolkit/cmd/pgha-cli/internal/terminal"
	"github.com/pgha/toolkit/pgha/spec"
)

// TestWrongSpecsReachNoHost hands every wrong specification to apply, with a jump host that counts
// who connects. Nothing may be made on this machine either.
func TestWrongSpecsReachNoHost(t *testing.T) {
	t.Parallel()
	archive, err := txtar.ParseFile("../../pgha/spec/testdata/wrong.txtar")
	if err != nil {
		t.Fatal(err)
	}
	jump, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var knocks atomic.Int32
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			conn, err := jump.Accept()
			if err != nil {
				return
			}
			knocks.Add(1)
			conn.Close()
		}
	}()
	ssh := fmt.Sprintf(
		"ssh: {jump: %q, agent: false, host_keys: accept-new, known_hosts: known_hosts, "+
			"connect_timeout: 2s}\n",
		jump.Addr())
	apply := func(name, text string) error {
		dir := t.TempDir()
		file := filepath.Join(dir, "pgha.yaml")
		// One is wrong because of a file that is there.
		for path, content := range map[string]string{file: text,
			filepath.Join(dir, "key"): "a file\n"} {
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		err := newApp(&terminal.Terminal{
			Stdout: io.Discard, Stderr: io.Discard,
		}).RunContext(t.Context(), []string{"pgha-cli", "--spec", file, "apply"})
		if left, globErr := filepath.Glob(filepath.Join(dir, "*.state")); errors.Is(err,
			spec.ErrInvalid) &&
			(len(left) > 0 || globErr != nil) {
			t.Errorf("%s: made %v (%v)", name, left, globErr)
		}
		return err
	}
	seen := 0
	for i := 0; i+1 < len(archive.Files); i += 2 {
		name, text := archive.Files[i].Name, string(archive.Files[i].Data)
		if !strings.Contains(text, "ssh:") {
			text += ssh
		}
		seen++
		if err := apply(name, text); !errors.As(err, new(*spec.Errors)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if seen < 200 || knocks.Load() != 0 {
		t.Errorf("%d wrong specifications, %d connections", seen, knocks.Load())
	}
	right := "version: 1\nhosts: [{name: db-1, address: 10.0.0.1, role: database}]\n" + ssh
	if err := apply("right", right); errors.Is(err, spec.ErrInvalid) || knocks.Load() == 0 {
		t.Errorf("the right one does not reach the jump host: %v", err)
	}
	jump.Close()
	<-ended
}
