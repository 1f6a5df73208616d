package etcd

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/pgha/toolkit/internal/scripttest"
	"github.com/pgha/toolkit/pgha/remote"
)

// TestRecoveredMemberGoesOn: what recover.sh does with a real etcd. The member that is made a
// cluster of one keeps its keys, its revision grows, its term does not start again, and the others
// come in one after the other, also when that was cut off between the two.
func TestRecoveredMemberGoesOn(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3)
	c.up()
	put := func(key string) {
		t.Helper()
		err := c.ask(t.Context(), c.Members[0], func(ctx context.Context,
			client *clientv3.Client) error {
			_, err := client.Put(ctx, key, "kept")
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	put("/service/x/initialize")
	before, err := Status(t.Context(), c.Options)
	if err != nil {
		t.Fatal(err)
	}
	c.kill(1)
	c.kill(2)
	known, err := LastKnown(t.Context(), c.Options, "m1", "/service/x/")
	if err != nil || known["initialize"] != "kept" {
		t.Errorf("without a quorum m1 remembers %v, %v", known, err)
	}
	if _, err := Keys(t.Context(), c.Options, "/service/x/"); err == nil {
		t.Error("there still is a quorum")
	}
	c.kill(0)
	for _, i := range []int{1, 2} {
		if err := os.RemoveAll(c.dataDir(i)); err != nil {
			t.Fatal(err)
		}
	}
	c.forced = true
	c.start("existing", 0)
	c.healthy(0)
	c.kill(0)
	c.forced = false
	c.start("existing", 0) // as the unit does
	c.healthy(0)

	keys, err := Keys(t.Context(), c.Options, "/service/x/")
	if err != nil || keys["initialize"] != "kept" {
		t.Errorf("keys %v, %v", keys, err)
	}
	put("/service/x/leader")
	after, err := Status(t.Context(), c.Options)
	if err != nil || after[0].RaftTerm < before[0].RaftTerm {
		t.Errorf("the term was %d and is %d, %v", before[0].RaftTerm, after[0].RaftTerm, err)
	}
	peers, err := c.peersKnown(t.Context(), []int{0})
	if err != nil || len(peers) != 1 || !majority(1, peers) {
		t.Fatalf("peers %v, %v", peers, err)
	}
	if err := c.readmit(t.Context(), c.Members[0], c.Members[1]); err != nil {
		t.Fatal(err)
	}
	// Cut off here: the one that has still to come has no vote that could be missing.
	if peers, err = c.peersKnown(t.Context(), []int{0}); err != nil || !majority(1, peers) ||
		!learns(peers, c.peerURL(c.Members[1])) ||
		standingOf(peers, c.peerURL(c.Members[1])) != added {
		t.Fatalf("peers %v, %v", peers, err)
	}
	if c.among, err = c.membersKnownTo(t.Context(), c.Members[0]); err != nil {
		t.Fatal(err)
	}
	c.start("existing", 1)
	if err := c.promote(t.Context(), 0, 1); err != nil {
		t.Fatal(err)
	}
	c.healthy(0, 1)
	if err := c.readmit(t.Context(), c.Members[0], c.Members[2]); err != nil {
		t.Fatal(err)
	}
	c.among = nil
	c.start("existing", 2)
	if err := c.promote(t.Context(), c.all()...); err != nil {
		t.Fatal(err)
	}
	c.healthy(c.all()...)
}

func TestRecoverRefuses(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3)
	c.up()
	if _, err := Recover(t.Context(), c.Options, "m1"); !errors.Is(err, ErrHasQuorum) {
		t.Errorf("while a quorum lives: %v", err)
	}
	if _, err := Recover(t.Context(), c.Options, "m9"); err == nil {
		t.Error("a member that does not exist was taken")
	}
	for i := range c.Members {
		c.kill(i)
	}
	o := c.Options
	o.DataDir = filepath.Join(t.TempDir(), "nothing")
	if _, err := Recover(t.Context(), o, "m1"); err == nil ||
		!strings.Contains(err.Error(), "has no data") {
		t.Errorf("without data: %v", err)
	}
	o = c.Options
	o.Members = slices.Clone(o.Members)
	o.Members[0].Target = &remote.Target{Host: o.Members[0].Target.Host,
		Executor: remote.Broken("pg1", remote.ErrUnreachable)}
	if _, err := Recover(t.Context(), o, "m1"); !errors.Is(err, remote.ErrUnreachable) {
		t.Errorf("a host that does not answer: %v", err)
	}
}

// TestRecoverScript runs recover.sh with a systemd that only takes notes.
func TestRecoverScript(t *testing.T) {
	t.Parallel()
	fakes := map[string]string{"systemctl": "", "systemd-run": ""}
	for name, tt := range map[string]struct {
		what  string
		fakes map[string]string
		code  int
		calls []string
		// left are the paths below the folder at the end.
		left []string
	}{
		"alone": {"alone", fakes, 0, []string{
			"systemctl stop pgha-etcd-recovery.service etcd.service",
			"systemctl reset-failed pgha-etcd-recovery.service",
			"systemd-run --quiet --collect --unit=pgha-etcd-recovery.service " +
				"--service-type=notify --uid=etcd --gid=etcd " +
				"--property=EnvironmentFile=/etc/etcd/etcd.env --property=TimeoutStartSec=60 " +
				"--property=RuntimeMaxSec=60 --setenv=ETCD_FORCE_NEW_CLUSTER=true -- " +
				"/usr/local/bin/etcd",
			"systemctl stop pgha-etcd-recovery.service",
		}, []string{"etcd/member/snap/db", "kept/member/snap/db"}},
		"aside": {"aside", fakes, 0, []string{"systemctl stop pgha-etcd-recovery.service " +
			"etcd.service"},
			[]string{"kept/member/snap/db"}},
		"etcd does not stop": {"alone", map[string]string{"systemctl": "exit 1", "systemd-run": ""},
			1, []string{
				"systemctl stop pgha-etcd-recovery.service etcd.service",
				"systemctl stop etcd.service",
			}, []string{"etcd/member/snap/db"}},
		"etcd does not start": {"alone", map[string]string{"systemctl": "",
			"systemd-run": "exit 1"}, 1, nil,
			[]string{"etcd/member/snap/db", "kept/member/snap/db"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			data := filepath.Join(dir, "etcd")
			write(t, filepath.Join(data, "member/snap/db"))
			// What a run that was cut off has left.
			write(t, filepath.Join(dir, "kept.part/half"))
			r := scripttest.Run{With: "sh", Script: recoverScript, Fakes: tt.fakes,
				Args: []string{tt.what, data, filepath.Join(dir, "kept"),
					"/usr/local/bin/etcd"}}.Do(t)
			if r.Code != tt.code || tt.calls != nil && !slices.Equal(r.Calls, tt.calls) {
				t.Errorf("code %d, calls %q\n%s", r.Code, r.Calls, r.Stderr)
			}
			left := filesBelow(t, dir)
			left = slices.DeleteFunc(left, func(f string) bool {
				return strings.HasPrefix(f, "kept.part/")
			})
			if !slices.Equal(left, tt.left) {
				t.Errorf("left %q, want %q", left, tt.left)
			}
		})
	}
}

func write(t *testing.T, path string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700),
		os.WriteFile(path, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
}

func filesBelow(t *testing.T, dir string) []string {
	t.Helper()
	var list []string
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			name, _ := filepath.Rel(dir, path)
			list = append(list, name)
		}
		return err
	})
	if err != nil && !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	return list
}
