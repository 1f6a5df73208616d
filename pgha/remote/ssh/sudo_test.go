package ssh_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/pgha/toolkit/internal/scripttest"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/remote/remotetest"
)

// TestEndWhileSudoIsTried ends a context while sudo has not said yet whether it wants a password.
// The command is given up; killing it as root would wait for that very answer.
func TestEndWhileSudoIsTried(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	begun := filepath.Join(dir, "begun")
	script := "#!/bin/sh\n: >" + begun + "\nexec sleep 600\n"
	scripttest.Program(t, dir, "sudo", script)
	server := remotetest.StartServer(t, remotetest.ServerOptions{
		User: "admin", Env: []string{"PATH=" + dir + ":" + os.Getenv("PATH")},
	})
	cfg := server.Config()
	cfg.User = "admin"
	cfg.SudoPassword = func(context.Context) (string, error) {
		return "", errors.New("nobody is asked")
	}
	s := remotetest.Dial(t, cfg)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := s.Run(ctx, remote.Cmd{Argv: []string{"true"}})
		ended <- err
	}()
	for _, err := os.Stat(begun); err != nil; _, err = os.Stat(begun) {
		select {
		case err := <-ended:
			t.Fatalf("it has ended before sudo began: %v", err)
		case <-time.After(10 * time.Millisecond):
		}
	}
	cancel()
	select {
	case err := <-ended:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("err = %v", err)
		}
	case <-time.After(time.Minute):
		t.Error("it does not end")
	}
}
