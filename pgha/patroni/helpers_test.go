package patroni

import (
	"context"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/pgha/toolkit/pgha/internal/reference"
	"github.com/pgha/toolkit/pgha/remote"
)

// fullOptions are the reference cluster's, with fake targets.
func fullOptions(t *testing.T) Options {
	t.Helper()
	o := reference.WithCertificates(t)
	for i := range o.Members {
		m := &o.Members[i]
		m.Target = &remote.Target{
			Host: remote.Host{Name: m.Name, Address: m.Address}, Executor: &fakeHost{name: m.Name},
		}
	}
	return o
}

// fakeHost is a host on which nothing exists yet, or where nothing but the units runs. It remembers
// what was done to it.
type fakeHost struct {
	name string
	runs bool
	dial func(ctx context.Context, network, address string) (net.Conn, error)
	fail string // a command line that holds this text fails

	mu    sync.Mutex
	looks int
	done  []string
	files map[string]string
}

func (f *fakeHost) Run(_ context.Context, cmd remote.Cmd) (remote.Result, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if strings.Contains(cmd.Script, "exec 2>/dev/null") {
		f.looks++
		return remote.Result{Stdout: answerLook(cmd.Script, f.runs)}, nil
	}
	line := strings.Join(cmd.Argv, " ")
	if cmd.Script == "" && cmd.Stdin != nil {
		line += " < script"
	}
	f.done = append(f.done, line)
	if f.fail != "" && strings.Contains(line, f.fail) {
		return remote.Result{ExitCode: 1}, &remote.ExitError{Host: f.name, Cmd: line, Code: 1,
			Stderr: "refused"}
	}
	return remote.Result{}, nil
}

// answerLook answers every question of a batch with nothing, except for the time and for units that
// run.
func answerLook(script string, runs bool) []byte {
	var out strings.Builder
	for line := range strings.Lines(script) {
		switch {
		case runs && strings.Contains(line, "systemctl"):
			for _, unit := range []string{Unit, WatchUnit} {
				out.WriteString("Id=" + unit +
					"\nLoadState=loaded\nActiveState=active\nUnitFileState=enabled\n" +
					"ActiveEnterTimestampMonotonic=1\nStateChangeTimestampMonotonic=1\n\n")
			}
		case strings.Contains(line, "/proc/uptime"):
			out.WriteString("1800000000.5 1000.5")
		case strings.HasPrefix(line, "printf '\\npgha-"):
			mark := strings.TrimPrefix(line, "printf '\\n")
			mark, _, _ = strings.Cut(mark, " ")
			out.WriteString("\n" + mark + " 0\n")
		}
	}
	return []byte(out.String())
}

func (f *fakeHost) Put(_ context.Context, r io.Reader, meta remote.FileMeta) (bool, error) {
	content, err := io.ReadAll(r)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.files == nil {
		f.files = map[string]string{}
	}
	f.files[meta.Path] = string(content)
	f.done = append(f.done, "put "+meta.Path+" "+meta.Mode.String()+" "+meta.Owner)
	return true, err
}

func (f *fakeHost) Get(_ context.Context, path string) (io.ReadCloser, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if content, ok := f.files[path]; ok {
		return io.NopCloser(strings.NewReader(content)), nil
	}
	return nil, os.ErrNotExist
}
func (f *fakeHost) Close() error   { return nil }
func (f *fakeHost) String() string { return f.name }

func (f *fakeHost) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if f.dial == nil {
		return nil, remote.ErrUnreachable
	}
	return f.dial(ctx, network, address)
}
