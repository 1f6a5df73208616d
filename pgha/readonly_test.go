package pgha_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/certificates"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/restore"
	"github.com/pgha/toolkit/pgha/spec"
)

// changing has a call of every method of Cluster that changes something.
func changing(ctx context.Context, c *pgha.Cluster) map[string]func() error {
	fail := func(_ any, err error) error { return err }
	return map[string]func() error{
		"AddHosts": func() error {
			return fail(c.AddHosts(ctx, pgha.AddHostsOptions{Hosts: []spec.Host{{Name: "pg-4",
				Address: "10.0.0.44", Role: spec.RoleDatabase}, {Name: "pg-5", Address: "10.0.0.45",
				Role: spec.RoleDatabase}}}))
		},
		"RemoveHosts": func() error {
			return fail(c.RemoveHosts(ctx, pgha.RemoveHostsOptions{Hosts: []string{"pg-2", "pg-3"}}))
		},
		"ReplaceHost": func() error {
			return fail(c.ReplaceHost(ctx, pgha.ReplaceHostOptions{Host: "pg-2",
				With: spec.Host{Name: "pg-4", Address: "10.0.0.44"}}))
		},
		"ContinueChange": func() error { return fail(c.ContinueChange(ctx, pgha.HostOptions{})) },
		"UndoChange":     func() error { return fail(c.UndoChange(ctx, pgha.HostOptions{})) },
		"Apply":          func() error { return fail(c.Apply(ctx, pgha.ApplyOptions{})) },
		"CancelRestart": func() error {
			return fail(c.CancelRestart(ctx, pgha.Operation{}, "pg-1"))
		},
		"CancelSwitchover": func() error { return fail(c.CancelSwitchover(ctx, pgha.Operation{})) },
		"Destroy": func() error {
			return fail(c.Destroy(ctx, pgha.DestroyOptions{}))
		},
		"Certificates": func() error {
			own := c.Certificates()
			_, renewed := own.Renew(ctx, certificates.RenewOptions{})
			if !errors.Is(renewed, pgha.ErrReadOnly) {
				return renewed
			}
			_, asked := own.Request(ctx, certificates.RequestOptions{Authority: "etcd"})
			_, taken := own.Import(ctx, certificates.ImportOptions{Authority: "etcd"})
			for _, err := range []error{asked, taken} {
				if !errors.Is(err, pgha.ErrReadOnly) {
					return err
				}
			}
			return fail(own.RotateCA(ctx, certificates.RotateOptions{
				Authorities: own.AllAuthorities()}))
		},
		"Backups": func() error {
			b := c.Backups()
			_, taken := b.Take(ctx, restore.TakeOptions{})
			_, proven := b.Prove(ctx, pgha.Operation{})
			_, restored := b.Restore(ctx, restore.Options{To: "latest"})
			for _, err := range []error{proven, restored, b.Check(ctx, pgha.Operation{}),
				b.Expire(ctx, pgha.Operation{})} {
				if !errors.Is(err, pgha.ErrReadOnly) {
					return err
				}
			}
			return taken
		},
		"Failover": func() error { return fail(c.Failover(ctx, pgha.FailoverOptions{})) },
		"Mend": func() error {
			return c.Mend(ctx,
				pgha.MendOptions{Steps: []pgha.MendStep{{Host: "pg-1", Command: "true"}}})
		},
		"MoveEtcdLeader": func() error { return c.MoveEtcdLeader(ctx, "pg-2") },
		"Operate": func() error {
			return c.Operate(ctx, "mine", pgha.Operation{}, func(context.Context, *pgha.Run) error {
				return errors.New("the verb has begun")
			})
		},
		"Pause": func() error { return fail(c.Pause(ctx, pgha.PauseOptions{})) },
		"Query": func() error {
			return fail(c.Query(ctx, pgha.QueryOptions{SQL: "SELECT 1", Write: true}))
		},
		"Recover": func() error {
			return fail(c.Recover(ctx, pgha.RecoverOptions{From: "pg-1"}))
		},
		"Reinitialize": func() error {
			return fail(c.Reinitialize(ctx, pgha.ReinitializeOptions{Member: "pg-1"}))
		},
		"Reload":  func() error { return fail(c.Reload(ctx, pgha.ReloadOptions{})) },
		"Reset":   func() error { return fail(c.Reset(ctx, pgha.ResetOptions{})) },
		"Restart": func() error { return fail(c.Restart(ctx, pgha.RestartOptions{})) },
		"Resume":  func() error { return fail(c.Resume(ctx, pgha.PauseOptions{})) },
		"RollingReboot": func() error {
			return fail(c.RollingReboot(ctx, pgha.RollingRebootOptions{}))
		},
		"RotateSecrets": func() error { return fail(c.RotateSecrets(ctx, pgha.RotateOptions{})) },
		"SetConfig": func() error {
			return fail(c.SetConfig(ctx, pgha.SetConfigOptions{Set: map[string]any{"ttl": 31}}))
		},
		"MoveAddress": func() error { return fail(c.MoveAddress(ctx, pgha.MoveAddressOptions{To: "b"})) },
		"SetSynchronous": func() error {
			return fail(c.SetSynchronous(ctx, pgha.SynchronousOptions{Mode: patroni.SynchronousOn}))
		},
		"State":      func() error { return fail(c.State().Share(ctx, pgha.Operation{})) },
		"Start":      func() error { return fail(c.Start(ctx, pgha.StartOptions{})) },
		"Stop":       func() error { return fail(c.Stop(ctx, pgha.StopOptions{})) },
		"Switchover": func() error { return fail(c.Switchover(ctx, pgha.SwitchoverOptions{})) },
		"TakeOver":   func() error { return fail(c.TakeOver(ctx, pgha.TakeOverOptions{})) },
		"VerifyDeep": func() error { return fail(c.VerifyDeep(ctx, pgha.DeepVerifyOptions{})) },
		"Unmanage":   func() error { return fail(c.Unmanage(ctx, pgha.UnmanageOptions{})) },
	}
}

// looking are the methods that change nothing, whatever they are given.
var looking = []string{
	"Accept", "Advise", "AwaitHealthy", "CheckPorts", "Close", "Config",
	"ConnConfig",
	"DialFromCluster", "DynamicConfig", "FormerHosts", "HalfDone", "History", "JudgeState", "Logs", "Operations", "Plan",
	"Preflight",
	"Reconnect", "Routes", "Specification", "Status", "Target", "Targets", "Verify", "WatchLeaders",
}

// TestReadOnlyCannotWrite walks through all methods of a Cluster that was connected ReadOnly: those
// that change something end with ErrReadOnly, and the hosts, of which the connections are the
// test's, are asked and never told. A new method has to be put into one of the two lists.
func TestReadOnlyCannotWrite(t *testing.T) {
	t.Parallel()
	hosts := &witness{}
	sp := provisioned(t, hosts)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c, err := pgha.Connect(ctx, sp, pgha.ConnectOptions{ReadOnly: true, Executor: hosts.open})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	hosts.changes = nil

	calls := changing(ctx, c)
	var all, listed []string
	for m := range reflect.TypeOf(c).Methods() {
		all = append(all, m.Name)
	}
	for name := range calls {
		listed = append(listed, name)
	}
	listed = append(listed, looking...)
	slices.Sort(listed)
	if diff := cmp.Diff(all, listed); diff != "" {
		t.Errorf("the methods of Cluster (-has +listed here):\n%s", diff)
	}
	for name, call := range calls {
		if err := call(); !errors.Is(err, pgha.ErrReadOnly) || !pgha.Refused(err) ||
			pgha.NextOf(err).IsZero() {
			t.Errorf("%s: %v, want ErrReadOnly and what to do", name, err)
		}
	}
	for _, target := range c.Targets() {
		if _, err := target.Put(ctx, strings.NewReader("x"),
			remote.FileMeta{Path: "/etc/x"}); !errors.Is(err, remote.ErrVetoed) {
			t.Errorf("a file on %s: %v, want ErrVetoed", target.Name, err)
		}
	}
	_, _ = c.Plan(ctx, pgha.PlanOptions{}) // of hosts that answer nothing: an error
	_, _ = c.Status(ctx)
	if len(hosts.changes) > 0 {
		t.Errorf("reached the hosts: %v", hosts.changes)
	}
}

// provisioned returns the specification of a cluster that was applied from here, to hosts that take
// everything.
func provisioned(t *testing.T, hosts *witness) *pgha.Spec {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "pgha.yaml")
	text := "version: 1\ncluster: looked-at\nstate_dir: state\nvip: {address: 192.0.2.9}\nhosts:\n"
	for i, host := range []string{"pg-1, role: database", "pg-2, role: database",
		"pg-3, role: database",
		"lb-1, role: balancer", "lb-2, role: balancer"} {
		text += fmt.Sprintf("  - {name: %s, address: 192.0.2.%d}\n", host, i+1)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	sp, err := spec.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	c, err := pgha.Connect(t.Context(), sp, pgha.ConnectOptions{Executor: hosts.open})
	if err != nil {
		t.Fatal(err)
	}
	nothing := pgha.Phase{Name: "nothing", Run: func(context.Context, *pgha.Run) error {
		return nil
	}}
	if _,
		err := c.Apply(t.Context(), pgha.ApplyOptions{Phases: []pgha.Phase{nothing}}); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if hosts.changes == nil {
		t.Fatal("an apply has taken no lock on the hosts: they see nothing here")
	}
	return sp
}

// witness is all hosts: they do what they are told, answer nothing, and remember what would have
// changed them.
type witness struct {
	mu      sync.Mutex
	changes []string
}

func (w *witness) open(_ context.Context, h spec.Host) (remote.Executor, error) {
	return witnessed{w, h.Name}, nil
}

type witnessed struct {
	all  *witness
	name string
}

func (w witnessed) see(cmd remote.Cmd) {
	if cmd.Mutating {
		w.all.mu.Lock()
		defer w.all.mu.Unlock()
		w.all.changes = append(w.all.changes, w.name+": "+cmd.String())
	}
}

func (w witnessed) Run(_ context.Context, cmd remote.Cmd) (remote.Result, error) {
	w.see(cmd)
	return remote.Result{}, nil
}

func (w witnessed) Put(_ context.Context, _ io.Reader, meta remote.FileMeta) (bool, error) {
	w.see(remote.Cmd{Argv: []string{"put", meta.Path}, Mutating: true})
	return true, nil
}

func (w witnessed) Get(context.Context, string) (io.ReadCloser, error) {
	return nil, fs.ErrNotExist
}
func (w witnessed) Close() error   { return nil }
func (w witnessed) String() string { return w.name }

// DialContext leads nowhere.
func (w witnessed) DialContext(context.Context, string, string) (net.Conn, error) {
	return nil, errors.New("no network")
}

// Stream is the host's end of a lock that is free.
func (w witnessed) Stream(_ context.Context, cmd remote.Cmd, stdout, _ io.Writer) (int, error) {
	w.see(cmd)
	if cmd.Stdin == nil {
		return 0, nil
	}
	lines := bufio.NewScanner(cmd.Stdin)
	for answer := "locked"; lines.Scan(); answer = "held" {
		fmt.Fprintln(stdout, answer)
	}
	return 0, lines.Err()
}
