package pooler

import (
	"fmt"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/pgha/toolkit/internal/scripttest"
)

// console is a pooler as far as its console goes.
type console struct {
	mu        sync.Mutex
	asked     []string
	databases map[string]string // with their modes
	paused    map[string]bool   // "" for all
	busy      bool              // a transaction does not end
	mute      bool              // it takes connections and says nothing
}

func (c *console) words() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.asked)
}

// set changes it.
func (c *console) set(f func(*console)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f(c)
}

// holds tells whether the clients of a database wait; "" stands for all.
func (c *console) holds(database string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.paused[database]
}

func (c *console) silent() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mute
}

// serve speaks with one client.
func (c *console) serve(conn net.Conn) {
	defer conn.Close()
	if c.silent() {
		time.Sleep(10 * time.Second)
		return
	}
	b := pgproto3.NewBackend(conn, conn)
	first, err := b.ReceiveStartupMessage()
	if err != nil {
		return
	}
	if s, ok := first.(*pgproto3.StartupMessage); !ok || s.Parameters["user"] != "pgbouncer" ||
		s.Parameters["database"] != "pgbouncer" {
		return
	}
	b.Send(&pgproto3.AuthenticationOk{})
	b.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
	_ = b.Flush()
	for {
		m, err := b.Receive()
		if err != nil {
			return
		}
		q, ok := m.(*pgproto3.Query)
		if !ok {
			return
		}
		if !c.answer(b, q.String) {
			time.Sleep(10 * time.Second) // PAUSE has no answer until it is done
			return
		}
		b.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
		_ = b.Flush()
	}
}

// answer says what PgBouncer says, and tells whether it does.
func (c *console) answer(b *pgproto3.Backend, words string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = append(c.asked, words)
	row := func(names string, values ...string) {
		var d pgproto3.RowDescription
		for _, n := range strings.Fields(names) {
			d.Fields = append(d.Fields, pgproto3.FieldDescription{Name: []byte(n)})
		}
		b.Send(&d)
		var r pgproto3.DataRow
		for _, v := range values {
			r.Values = append(r.Values, []byte(v))
		}
		b.Send(&r)
	}
	verb, object, _ := strings.Cut(words, " ")
	object = strings.Trim(object, `"`)
	switch {
	case words == "SHOW STATE":
		row("key value", "paused", map[bool]string{true: "yes", false: "no"}[c.paused[""]])
	case words == "SHOW DATABASES":
		row("name pool_mode paused", "pgbouncer", "statement", "0")
		row("name pool_mode paused", "pgha_lookup", "transaction", "0")
		for name, mode := range c.databases {
			row("name pool_mode paused", name, mode, map[bool]string{true: "1", false: "0"}[c.paused[name]])
		}
	case verb == "PAUSE":
		c.paused[object] = true
		return !c.busy
	case verb == "RESUME" && !c.paused[object]:
		b.Send(&pgproto3.ErrorResponse{Severity: "ERROR", Message: "pooler is not paused"})
	case verb == "RESUME":
		delete(c.paused, object)
	}
	b.Send(&pgproto3.CommandComplete{CommandTag: []byte(verb)})
	return true
}

// host has two poolers.
type host struct {
	dir         string
	write, read *console
}

func newHost(t *testing.T) host {
	t.Helper()
	dir, err := os.MkdirTemp("", "pool") // a socket's path may have some 100 characters
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	h := host{dir: dir}
	for name, into := range map[string]**console{"write": &h.write, "read": &h.read} {
		c := &console{databases: map[string]string{"shop": "transaction"}, paused: map[string]bool{}}
		*into = c
		folder := filepath.Join(dir, "s-"+name)
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		l, err := (&net.ListenConfig{}).Listen(t.Context(), "unix",
			filepath.Join(folder, ".s.PGSQL.6432"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				go c.serve(conn)
			}
		}()
	}
	return h
}

func (h host) run(t *testing.T, args ...string) scripttest.Result {
	t.Helper()
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	return scripttest.Run{With: "perl", Script: string(consoleProgram), Args: args,
		Fakes: map[string]string{"systemctl": "", "systemd-run": ""},
		Paths: map[string]string{"'pgha-pooler';": "'" + me.Username + "';",
			"/run/pgha-pooler-": filepath.Join(h.dir, "s-")}}.Do(t)
}

// TestConsole runs console.pl against poolers that speak as PgBouncer does.
func TestConsole(t *testing.T) {
	t.Parallel()
	t.Run("all are held, after the timer is set", func(t *testing.T) {
		t.Parallel()
		h := newHost(t)
		res := h.run(t, "pause", "2", "10")
		if res.Code != 0 || !h.write.holds("") || !h.read.holds("") {
			t.Errorf("%+v; asked %q", res, h.write.words())
		}
		if len(res.Calls) != 1 || !strings.Contains(res.Calls[0], "--on-calendar=@") ||
			!strings.HasSuffix(res.Calls[0], "/usr/local/lib/pgha/pooler resume") {
			t.Errorf("programs: %q", res.Calls)
		}
		if res := h.run(t, "resume"); res.Code != 0 || h.write.holds("") || h.read.holds("") {
			t.Errorf("resume: %+v", res)
		}
	})
	t.Run("readers alone are held, and the timer lets all go on", func(t *testing.T) {
		t.Parallel()
		h := newHost(t)
		res := h.run(t, "pause", "2", "10", "read")
		if res.Code != 0 || h.write.holds("") || !h.read.holds("") {
			t.Errorf("%+v; asked %q", res, h.write.words())
		}
		if len(res.Calls) != 1 || !strings.HasSuffix(res.Calls[0],
			"/usr/local/lib/pgha/pooler resume") {
			t.Errorf("programs: %q", res.Calls)
		}
	})
	t.Run("one that does not manage lets all go on", func(t *testing.T) {
		t.Parallel()
		h := newHost(t)
		h.read.set(func(c *console) { c.busy = true })
		res := h.run(t, "pause", "0.3", "10")
		if res.Code != busyExit || h.write.holds("") || h.read.holds("") ||
			!strings.Contains(res.Stdout, "read\tlate\n") ||
			!slices.Contains(res.Calls, "systemctl stop pgha-pooler-resume.timer") {
			t.Errorf("%+v", res)
		}
	})
	t.Run("a database by sessions is not held, the others are", func(t *testing.T) {
		t.Parallel()
		h := newHost(t)
		h.write.set(func(c *console) { c.databases["legacy"] = "session" })
		res := h.run(t, "pause", "2", "10")
		if res.Code != 0 || h.write.holds("") || h.write.holds("legacy") ||
			!h.write.holds("shop") || !h.read.holds("") ||
			!strings.Contains(res.Stdout, "write\tsession\tlegacy\n") {
			t.Errorf("%+v; asked %q", res, h.write.words())
		}
		if res := h.run(t, "resume"); res.Code != 0 || h.write.holds("shop") {
			t.Errorf("resume: %+v", res)
		}
	})
	t.Run("one that hangs is told, and not waited for", func(t *testing.T) {
		t.Parallel()
		h := newHost(t)
		h.read.set(func(c *console) { c.mute = true })
		res := h.run(t, "pause", "2", "10")
		if res.Code != 0 || !h.write.holds("") || !strings.Contains(res.Stdout, "read\tsilent\n") {
			t.Errorf("%+v", res)
		}
	})
	t.Run("one alone goes on, and the timer stays", func(t *testing.T) {
		t.Parallel()
		h := newHost(t)
		h.run(t, "pause", "2", "10")
		res := h.run(t, "resume", "write")
		if res.Code != 0 || h.write.holds("") || !h.read.holds("") || len(res.Calls) > 0 {
			t.Errorf("%+v", res)
		}
	})
	t.Run("state", func(t *testing.T) {
		t.Parallel()
		h := newHost(t)
		h.write.set(func(c *console) { c.paused["shop"] = true })
		res := h.run(t, "state")
		if got := parse(res.Stdout); !got[Write].Paused || got[Read].Paused {
			t.Errorf("%+v\n%s", got, fmt.Sprint(res))
		}
	})
}

// TestAccepts runs accepts.sh with a pgbouncer that starts, that warns, and that ends.
func TestAccepts(t *testing.T) {
	t.Parallel()
	config := filepath.Join(t.TempDir(), "ini")
	if err := os.WriteFile(config, []byte("listen_addr = *\nunix_socket_dir = /run/x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	// It makes a socket in the folder that its configuration names, and stays.
	const starts = `grep -q '^listen_addr =$' "$1" || exit 9
dir=$(sed -n 's/^unix_socket_dir = //p' "$1")
exec perl -e 'socket(my $s, 1, 1, 0); bind $s, pack("S a*", 1, "$ARGV[0]/.s.PGSQL.1\0") or die; sleep 5' "$dir"`
	for name, c := range map[string]struct {
		program string
		want    int
	}{
		"starts": {starts, 0},
		"warns":  {"echo '2026-11-30 [1] WARNING no such thing' >&2\n" + starts, 1},
		"ends":   {"echo 'FATAL syntax' >&2; exit 1", 1},
	} {
		res := scripttest.Run{With: "sh", Script: string(acceptsProgram), Args: []string{config},
			Fakes: map[string]string{"pgbouncer": c.program, "chown": "",
				"setpriv": `while [ "$1" != -- ]; do shift; done; shift; exec "$@"`},
			Paths: map[string]string{"/run/pooler-accepts.": filepath.Join(t.TempDir(), "try.")},
		}.Do(t)
		if res.Code != c.want {
			t.Errorf("%s: %+v", name, res)
		}
	}
}
