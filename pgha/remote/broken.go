package remote

import (
	"context"
	"io"
	"net"
)

// Broken is the Executor of a host that cannot be reached: every call fails with err. It lets code
// that asks several hosts report one of them as down like any other failure.
func Broken(name string, err error) Executor { return &broken{name, OnHost(name, err)} }

type broken struct {
	name string
	err  error
}

func (b *broken) Run(context.Context, Cmd) (Result, error) { return Result{ExitCode: -1}, b.err }
func (b *broken) Put(context.Context, io.Reader, FileMeta) (bool, error) {
	return false, b.err
}
func (b *broken) Get(context.Context, string) (io.ReadCloser, error) { return nil, b.err }
func (b *broken) Close() error                                       { return nil }
func (b *broken) String() string                                     { return b.name }
func (b *broken) DialContext(context.Context, string, string) (net.Conn, error) {
	return nil, b.err
}
func (b *broken) Stream(context.Context, Cmd, io.Writer, io.Writer) (int, error) {
	return -1, b.err
}
