package etcd

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/pgha/remote"
)

// answers is a host that answers a batch of questions with prepared outputs.
type answers struct {
	remote.Executor
	outputs []string
	codes   []int
}

func (h answers) Run(_ context.Context, cmd remote.Cmd) (remote.Result, error) {
	_, after, _ := strings.Cut(cmd.Script, `printf '\n`)
	mark, _, _ := strings.Cut(after, " ")
	var out strings.Builder
	for i, o := range h.outputs {
		fmt.Fprintf(&out, "%s\n%s %d\n", o, mark, h.codes[i])
	}
	return remote.Result{Stdout: []byte(out.String())}, nil
}

func TestLook(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		host answers
		want facts
	}{
		"running": {
			answers{
				outputs: []string{
					"etcd Version: 3.6.10\nGit SHA: x\nGo OS/Arch: linux/amd64\n", "x.wal\n", "",
					"ETCD_NAME=m1\nPGHA_CONFIGURATION=abc\n",
				}, codes: []int{0, 0, 0, 0},
			},
			facts{version: "3.6.10", arch: "amd64", hasData: true, formed: true, digest: "abc",
				running: true},
		},
		"bare": {
			answers{outputs: []string{"Go OS/Arch: linux/arm64\n", "", "", ""},
				codes: []int{0, 2, 2, 1}},
			facts{arch: "arm64"},
		},
		"stopped": {
			answers{
				outputs: []string{"etcd Version: 3.6.9\nGo OS/Arch: linux/amd64\n", "x.wal\n",
					"", ""},
				codes: []int{0, 0, 1, 1},
			}, facts{version: "3.6.9", arch: "amd64", hasData: true},
		},
	} {
		got, err := Options{}.withDefaults().look(t.Context(), &remote.Target{
			Host: remote.Host{Name: "pg1"}, Executor: tt.host,
		})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(facts{})); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestStanding(t *testing.T) {
	t.Parallel()
	peers := []peer{
		{PeerURLs: []string{"https://a:2380"}, ClientURLs: []string{"https://a:2379"}},
		{PeerURLs: []string{"https://b:2380"}},
	}
	for url, want := range map[string]standing{
		"https://a:2380": voter, "https://b:2380": added, "https://c:2380": unknown,
	} {
		if got := standingOf(peers, url); got != want {
			t.Errorf("%s: %d, want %d", url, got, want)
		}
	}
}
