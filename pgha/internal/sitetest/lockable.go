package sitetest

import (
	"context"
	"io"

	"github.com/pgha/toolkit/pgha/remote"
)

// Lockable is a host that answers a lock's process alone: "locked\n" gives it, "taken NOTE\n" is
// somebody else's, and with "" the connection is lost. taken gets the name of each host that was
// asked; it may be nil.
func Lockable(name, answer string, taken *[]string) remote.Executor {
	return lockable{remote.Broken(name, remote.ErrUnreachable), name, answer, taken}
}

type lockable struct {
	remote.Executor
	name, answer string
	taken        *[]string
}

// Stream implements remote.Streamer.
func (l lockable) Stream(ctx context.Context, cmd remote.Cmd, stdout, _ io.Writer) (int, error) {
	if l.answer == "" {
		return -1, remote.OnHost(l.name, remote.ErrUnreachable)
	}
	if l.taken != nil {
		*l.taken = append(*l.taken, l.name)
	}
	line := make([]byte, 512)
	for answer := l.answer; ; answer = "held\n" {
		if _, err := cmd.Stdin.Read(line); err != nil || ctx.Err() != nil {
			return 0, nil
		}
		if _, err := io.WriteString(stdout, answer); err != nil {
			return 0, nil
		}
	}
}
