package remote

import (
	"context"
	"io"
	"io/fs"
	"net"
	"time"
)

// Executor runs commands and moves files on one host. Everything pgha does to a host goes through
// these five methods, so a program can put its own transport, audit or policy underneath the whole
// toolkit.
//
// Implementations are safe for concurrent use, respect the context in every method, and pass the
// conformance suite remotetest.TestExecutor.
type Executor interface {
	// Run runs one command to its end. A command that exits non-zero is an *ExitError (with the
	// Result filled in as well); anything else that goes wrong is a transport error.
	Run(ctx context.Context, cmd Cmd) (Result, error)
	// Put makes the file at meta.Path hold exactly what r delivers: written to a temporary file in
	// the same folder, synced, given its owner and mode, and renamed into place. Equal content,
	// owner and mode is no change. Nobody ever sees half a file or a file with wider permissions
	// than asked for. Safe to repeat.
	Put(ctx context.Context, r io.Reader, meta FileMeta) (changed bool, err error)
	// Get opens the file at path for reading. A missing file is an error that matches
	// fs.ErrNotExist.
	Get(ctx context.Context, path string) (io.ReadCloser, error)
	// Close releases the connection. Commands still running are cut.
	Close() error
	// String names the host for logs and errors.
	String() string
}

// Dialer is the optional ability of an Executor to open network connections from its host's point
// of view. Through it etcd, Patroni's REST API and PostgreSQL are reached over SSH, and no cluster
// port has to be open to the operator.
type Dialer interface {
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
}

// Streamer is the optional ability of an Executor to hand out output while the command still runs
// (logs that follow, interactive programs).
type Streamer interface {
	Stream(ctx context.Context, cmd Cmd, stdout, stderr io.Writer) (exitCode int, err error)
}

// Unwrapper is implemented by decorators, so that an optional ability of the Executor underneath
// can be found with As.
type Unwrapper interface{ Unwrap() Executor }

// As finds the first Executor in e's chain of decorators that has the ability T (Dialer, Streamer,
// ...).
func As[T any](e Executor) (T, bool) {
	for e != nil {
		if t, ok := e.(T); ok {
			return t, true
		}
		u, ok := e.(Unwrapper)
		if !ok {
			break
		}
		e = u.Unwrap()
	}
	var zero T
	return zero, false
}

// Cmd is one command. Argv is never handed to a shell as text: each word is quoted on its way.
type Cmd struct {
	// Argv is the program and its arguments. World-readable on the host while it runs: never put a
	// secret here.
	Argv []string
	// Script, when set, is a shell script fed to `sh -s` on standard input; Argv are then its
	// positional parameters. Only constant text that is compiled into the program belongs here.
	// Script and Stdin exclude each other.
	Script string
	// Stdin is the command's standard input; nil is empty. The right way for a secret.
	Stdin io.Reader
	// Env adds variables, each "NAME=value". World-readable for root: never put a secret here.
	Env []string
	// User runs the command as this user of the host; "" is root (or the account that the Executor
	// works as).
	User string
	// Timeout bounds the command; 0 leaves only the context's deadline.
	Timeout time.Duration
	// Mutating marks a command that changes the host. Planning and read-only decorators hold such
	// commands back.
	Mutating bool
	// Secrets lists values that must be blotted out of errors, events and recordings of this
	// command.
	Secrets []string
}

// Result is what a command left behind.
type Result struct {
	Stdout, Stderr []byte
	ExitCode       int
	Duration       time.Duration
}

// FileMeta says where a file goes and who may read it.
type FileMeta struct {
	// Path is absolute; the folder must exist.
	Path string
	// Mode are the permission bits; 0 means 0644.
	Mode fs.FileMode
	// Owner and Group are names on the host; "" means root.
	Owner, Group string
}
