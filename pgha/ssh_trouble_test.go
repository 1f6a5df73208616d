package pgha

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pgha/toolkit/internal/hosttest"
	"github.com/pgha/toolkit/pgha/engine"
	"github.com/pgha/toolkit/pgha/inspect"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/provision"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/remote/remotetest"
	"github.com/pgha/toolkit/pgha/remote/ssh"
	"github.com/pgha/toolkit/pgha/spec"
)

// troubleBound is far more than anything here takes on a busy machine, and far less than for ever.
const troubleBound = 90 * time.Second

// site is six hosts in memory behind SSH servers in this process.
type sixSite struct {
	names   []string
	servers map[string]*remotetest.Server
	hosts   map[string]*hosttest.Host
	spec    *Spec
}

// sixHosts starts them. Each server is as change makes it.
func sixHosts(t *testing.T, change func(name string, opts *remotetest.ServerOptions)) *sixSite {
	t.Helper()
	s := &sixSite{
		names:   []string{"lb1", "lb2", "lb3", "pg1", "pg2", "pg3"},
		servers: map[string]*remotetest.Server{},
		hosts:   map[string]*hosttest.Host{},
	}
	dir := t.TempDir()
	identity := filepath.Join(dir, "id_ed25519")
	if err := remotetest.WriteIdentity(identity); err != nil {
		t.Fatal(err)
	}
	text := &strings.Builder{}
	fmt.Fprintf(text,
		"version: 1\ncluster: demo\nstate_dir: %q\nssh: {identity_files: [%q], agent: false, "+
			"known_hosts: %q, connect_timeout: 5s}\n",
		dir+"/state", identity, dir+"/known_hosts")
	fmt.Fprintf(text,
		"postgresql: {source: distribution}\netcd: {source: distribution}\nvip: {address: "+
			"192.0.2.100}\nhosts:\n")
	for i, name := range s.names {
		h := hosttest.New(name, func(_ *hosttest.Host, _ remote.Cmd) (remote.Result,
			error) {
			return remote.Result{}, nil
		})
		isWell(h)
		// Nothing may leave this machine, so no connection is opened from the hosts.
		opts := remotetest.ServerOptions{Identity: identity, Answer: h.Serve, NoNetwork: true}
		change(name, &opts)
		server := remotetest.StartServer(t, opts)
		s.servers[name], s.hosts[name] = server, h
		role := "balancer"
		if strings.HasPrefix(name, "pg") {
			role = "database"
		}
		fmt.Fprintf(text,
			"  - {name: %s, address: 192.0.2.%d, role: %s, ssh: {address: 127.0.0.1, port: %s, "+
				"user: root, host_key: %q}}\n", name, i+1, role, server.Port(),
			server.Fingerprint())
	}
	var err error
	if s.spec, err = spec.Parse(filepath.Join(dir, "pgha.yaml"),
		[]byte(text.String())); err != nil {
		t.Fatal(err)
	}
	return s
}

// isWell makes a host answer preflight's questions like one that needs nothing.
func isWell(h *hosttest.Host) {
	var installed strings.Builder
	for _, name := range []string{
		"postgresql-18", "patroni", "python3-etcd", "python3-dnspython", "etcd-server",
		"etcd-client",
		"haproxy", "keepalived", "iproute2", "perl", "curl",
	} {
		fmt.Fprintf(&installed, "candidate\t%s\t4.1.5-1\n", name)
	}
	for words, text := range map[string]string{
		"grep -aHs": "/etc/os-release:ID=debian\n/etc/os-release:VERSION_ID=\"13\"\n" +
			"/etc/os-release:VERSION_CODENAME=trixie\n/proc/1/comm:systemd\n" +
			"/proc/self/status:Name:\tgrep\n/proc/self/status:Uid:\t0\t0\t0\t0\n",
		"dpkg --print-architecture":            "amd64\n",
		"perl -e '# Prints whether the kernel": "NTPSynchronized=yes\nTimezone=Etc/UTC\n",
		"df": "Filesystem 1024-blocks Used Available Capacity Mounted on\n" +
			"/dev/sda1 99999999 1 88888888 1% /\n",
		// The cluster is there already: the routes between hosts are not tried.
		// Here ends the question of package preflight.
		"' port": "ours\t/etc/haproxy/haproxy.cfg\nlistener\t0.0.0.0:7000\thaproxy\t1\thaproxy.service\n" +
			installed.String(),
	} {
		h.Say(words, func() string { return text })
	}
	h.Say("sh -c 'date", func() string {
		return fmt.Sprintf("%.9f\n70.5\n", float64(time.Now().UnixNano())/1e9)
	})
}

// refusing answers every command like a host whose sudo says no.
func refusing(status int,
	says string) func(context.Context, string, io.Reader, io.Writer, io.Writer) int {
	return func(_ context.Context, line string, _ io.Reader, stdout, stderr io.Writer) int {
		mark, _, _ := strings.Cut(strings.TrimPrefix(line, "echo "), " ")
		_, _ = fmt.Fprintf(stdout, "%s 1\n", mark)
		_, _ = io.WriteString(stderr, says+"\n")
		return status
	}
}

// hanging takes every command and never ends.
func hanging(ctx context.Context, _ string, _ io.Reader, _, _ io.Writer) int {
	<-ctx.Done()
	return 0
}

// impatient are phases of which the first asks each host for so long only, and the second would
// change all hosts.
func impatient(timeout time.Duration) []engine.Phase {
	return []engine.Phase{
		{Name: "preflight", Run: func(ctx context.Context, run *engine.Run) error {
			report, err := run.Preflight(ctx, inspect.PreflightOptions{Timeout: timeout})
			if err != nil {
				return err
			}
			return report.Err()
		}},
		{Name: "mark", Run: func(ctx context.Context, run *engine.Run) error {
			return remote.Each(ctx, run.Targets(),
				func(ctx context.Context, t *remote.Target) error {
					_, err := t.Ensure(ctx,
						remote.Dir{FileMeta: remote.FileMeta{Path: "/etc/pgha-mark"}},
						remote.File{FileMeta: remote.FileMeta{Path: "/etc/pgha-mark/file"},
							Content: []byte(t.Name)})
					return err
				})
		}},
	}
}

func TestSSHTroubleOfOneHost(t *testing.T) {
	t.Parallel()
	admin := func(status int, says string) func(*remotetest.ServerOptions) {
		return func(o *remotetest.ServerOptions) { o.Answer = refusing(status, says) }
	}
	for name, tt := range map[string]struct {
		host   string
		server func(*remotetest.ServerOptions)
		spec   func(*testing.T, *spec.HostSSH, *spec.Spec)
		want   error
		says   string
		hint   string
	}{
		"host key changed": {host: "pg2", spec: func(_ *testing.T, h *spec.HostSSH, _ *spec.Spec) {
			h.HostKey = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
		}, want: ssh.ErrHostKeyChanged, says: "SHA256:", hint: "reinstalled"},
		"host key unknown": {host: "lb2", spec: func(t *testing.T, h *spec.HostSSH, s *spec.Spec) {
			h.HostKey = ""
			if err := os.WriteFile(s.SSH.KnownHosts, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}, want: ssh.ErrHostKeyUnknown, says: "SHA256:", hint: "hosts[].ssh.host_key"},
		"wrong user": {host: "pg1", server: func(o *remotetest.ServerOptions) { o.User = "admin" },
			want: ssh.ErrAuth, says: "user root", hint: "authorized_keys"},
		"accepts and goes silent": {host: "lb3", server: func(o *remotetest.ServerOptions) {
			o.Silent = true
		},
			want: remote.ErrUnreachable, says: "did not finish the handshake within 5s",
			hint: "ss -ltnp"},
		"MaxStartups for ever": {host: "pg3", server: func(o *remotetest.ServerOptions) {
			o.DropFirst = 1 << 20
		},
			want: remote.ErrUnreachable, says: "closed the connection", hint: "MaxStartups"},
		"no sudo": {host: "pg3", server: admin(127, "env: 'sudo': No such file or directory"),
			spec: asAdmin,
			want: remote.ErrSudo, says: "sudo is not installed", hint: "install sudo"},
		"sudo wants a password, nobody to ask": {host: "pg2",
			server: admin(1, "sudo: a password is required"),
			spec:   asAdmin,
			want:   remote.ErrSudo, says: "wants a password of admin", hint: "NOPASSWD"},
		"sudo wants a password on a balancer": {host: "lb1",
			server: admin(1, "sudo: a password is required"),
			spec:   asAdmin,
			want:   remote.ErrSudo, says: "wants a password of admin", hint: "NOPASSWD"},
		"sudo wants a terminal": {host: "lb1", server: admin(1,
			"sudo: sorry, you must have a tty to run sudo"),
			spec: asAdmin,
			want: remote.ErrSudo, says: "wants a terminal", hint: "requiretty"},
		"hangs for ever": {host: "lb2", server: func(o *remotetest.ServerOptions) {
			o.Answer = hanging
		},
			want: context.DeadlineExceeded, says: "has not answered simple questions within 5s",
			hint: "see what hangs"},
		"login shell without commands": {host: "lb1", server: func(o *remotetest.ServerOptions) {
			o.Answer = func(_ context.Context, _ string, _ io.Reader, stdout, _ io.Writer) int {
				_, _ = io.WriteString(stdout, "This account is currently not available.\n")
				return 1
			}
		}, says: "This account is currently not available", hint: "POSIX shell"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := sixHosts(t, func(name string, o *remotetest.ServerOptions) {
				if name == tt.host && tt.server != nil {
					tt.server(o)
				}
			})
			if tt.spec != nil {
				for i := range s.spec.Hosts {
					if s.spec.Hosts[i].Name == tt.host {
						tt.spec(t, &s.spec.Hosts[i].SSH, s.spec)
					}
				}
			}
			ctx, cancel := context.WithTimeout(t.Context(), troubleBound)
			defer cancel()
			err := s.apply(ctx, 5*time.Second)
			if err == nil || ctx.Err() != nil {
				t.Fatalf("err = %v, the time is over: %v", err, ctx.Err())
			}
			if tt.want != nil && !errors.Is(err, tt.want) ||
				!strings.Contains(err.Error(), tt.says) ||
				!strings.Contains(err.Error(), tt.host+": ") {
				t.Errorf("err = %v, want %v of %s that says %q", err, tt.want, tt.host, tt.says)
			}
			if hint := remote.Hint(err); !strings.Contains(hint, tt.hint) {
				t.Errorf("hint = %q, want %q in it", hint, tt.hint)
			}
			s.untouched(t, err)
		})
	}
}

// asAdmin logs in to the host as an account that is not root.
func asAdmin(_ *testing.T, h *spec.HostSSH, _ *spec.Spec) { h.User = "admin" }

// apply connects and applies.
func (s *sixSite) apply(ctx context.Context, timeout time.Duration) error {
	c, err := site.Connect(ctx, s.spec, site.Options{})
	if err != nil {
		return err
	}
	_, err = provision.Apply(ctx, c, provision.ApplyOptions{Phases: impatient(timeout)})
	return errors.Join(err, c.Close())
}

// untouched makes sure that nothing was changed on any host, and that only the host in trouble is
// complained of.
func (s *sixSite) untouched(t *testing.T, err error) {
	t.Helper()
	named := 0
	for _, name := range s.names {
		if done, _ := s.hosts[name].Changes(); len(done) > 0 {
			t.Errorf("%s was changed: %q", name, done)
		}
		if strings.Contains(err.Error(), name+": ") {
			named++
		}
	}
	if named != 1 {
		t.Errorf("%d hosts are named: %v", named, err)
	}
}

// TestTwoHostsInTroubleAreBothNamed: an operator wants to hear of everything at once.
func TestTwoHostsInTroubleAreBothNamed(t *testing.T) {
	t.Parallel()
	s := sixHosts(t, func(name string, o *remotetest.ServerOptions) {
		if name == "pg1" || name == "pg3" {
			o.Answer = refusing(1, "sudo: a password is required")
		}
	})
	for i := range s.spec.Hosts {
		if n := s.spec.Hosts[i].Name; n == "pg1" || n == "pg3" {
			s.spec.Hosts[i].SSH.User = "admin"
		}
	}
	err := s.apply(t.Context(), time.Minute)
	if !errors.Is(err, remote.ErrSudo) || !strings.Contains(err.Error(), "pg1: ") ||
		!strings.Contains(err.Error(), "pg3: ") || strings.Contains(err.Error(), "pg2: ") {
		t.Errorf("err = %v", err)
	}
}

// TestApplyInSpiteOf works on hosts that are odd, but not in trouble.
func TestApplyInSpiteOf(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change      func(*remotetest.ServerOptions)
		connections int // a database host; 0 does not matter
	}{
		"nothing": {func(*remotetest.ServerOptions) {}, 1},
		"banner and motd on stdout": {
			func(o *remotetest.ServerOptions) {
				o.Noise = "Welcome!\n\nYou have mail.\nno newline:"
			}, 1,
		},
		"MaxSessions 1": {func(o *remotetest.ServerOptions) {
			o.MaxSessions = 1
		}, 2},
		"MaxStartups reached for a time": {func(o *remotetest.ServerOptions) {
			o.DropFirst = 2
		}, 3},
		"200 ms with 5 % loss": {
			func(o *remotetest.ServerOptions) {
				o.Latency, o.LoseEvery = 200*time.Millisecond, 20
			}, 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := sixHosts(t, func(_ string, o *remotetest.ServerOptions) { tt.change(o) })
			ctx, cancel := context.WithTimeout(t.Context(), troubleBound)
			defer cancel()
			if err := s.apply(ctx, time.Minute); err != nil {
				t.Fatal(err)
			}
			var all sync.WaitGroup
			for _, name := range s.names {
				all.Go(func() {
					if content, _, _,
						_ := s.hosts[name].File("/etc/pgha-mark/file"); content != name {
						t.Errorf("%s: the file holds %q", name, content)
					}
				})
			}
			all.Wait()
			if n := s.servers["pg1"].Accepted(); n != tt.connections {
				t.Errorf("%d connections to a database host, want %d", n, tt.connections)
			}
			if n := s.hosts["pg1"].Locks(); n != 1 {
				t.Errorf("the lock was taken %d times", n)
			}
		})
	}
}
