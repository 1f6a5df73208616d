package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/pgha/toolkit/internal/poll"
)

const lockPoll = 50 * time.Millisecond

// lock takes a file lock, shared or exclusive, and waits for it until ctx
// ends. The lock goes with the process, so a killed one leaves none behind.
// The file itself stays: removing it would let two processes lock two files.
func lock(ctx context.Context, path string, exclusive bool) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("make lock directory: %w", err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	how := syscall.LOCK_SH
	if exclusive {
		how = syscall.LOCK_EX
	}
	err = poll.Until(ctx, poll.Options{What: "lock " + path, Every: lockPoll},
		func(context.Context) (string, error) {
			err := syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB)
			switch {
			case errors.Is(err, syscall.EWOULDBLOCK), errors.Is(err, syscall.EINTR):
				return "it is held by another process", nil
			case err != nil:
				return "", poll.Stop(fmt.Errorf("lock %s: %w", path, err))
			}
			return "", nil
		})
	if err != nil {
		f.Close()
		return nil, err
	}
	return func() { f.Close() }, nil
}
