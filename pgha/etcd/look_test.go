package etcd

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/pgha/toolkit/pgha/remote"
)

// batchHost answers every batch of questions with prepared outputs, in order.
type batchHost struct {
	remote.Executor
	outputs []string
	codes   []string
}

func (h batchHost) String() string { return "pg1" }

func (h batchHost) Run(_ context.Context, cmd remote.Cmd) (remote.Result, error) {
	_, after, _ := strings.Cut(cmd.Script, `printf '\n`)
	mark, _, _ := strings.Cut(after, " ")
	var out strings.Builder
	for i, o := range h.outputs {
		out.WriteString(o + "\n" + mark + " " + h.codes[i] + "\n")
	}
	return remote.Result{Stdout: []byte(out.String())}, nil
}

func (batchHost) Put(context.Context, io.Reader, remote.FileMeta) (bool, error) { return false, nil }

func TestLook(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		host batchHost
		want facts
	}{
		{
			"running",
			batchHost{outputs: []string{"etcd Version: 3.6.10\nGit SHA: x\n", "20000\n", "amd64\n", "", "ETCD_NAME=m1\nPGHA_CONFIGURATION=abc\n"}, codes: []string{"0", "0", "0", "0", "0"}},
			facts{version: "3.6.10", openFiles: 20000, arch: "amd64", hasData: true, digest: "abc", running: true},
		},
		{
			"bare",
			batchHost{outputs: []string{"", "unlimited\n", "arm64\n", "", ""}, codes: []string{"127", "0", "0", "1", "1"}},
			facts{arch: "arm64"},
		},
	} {
		got, err := Options{}.withDefaults().look(t.Context(), &remote.Target{Host: remote.Host{Name: "pg1"}, Executor: tt.host})
		if err != nil || got != tt.want {
			t.Errorf("%s: %+v, %v; want %+v", tt.name, got, err, tt.want)
		}
	}
}
