package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds what must happen some time; a test that works waits for none of it.
const patience = 20 * time.Second

// start writes to the server, quickly, and with bounds that even a busy machine does not reach
// unless the server hangs.
func start(t *testing.T, s *server, edit func(*Options)) *Writer {
	t.Helper()
	opts := Options{
		Config: s.config(t), Rate: 100, LoginTimeout: patience, StatementTimeout: patience,
	}
	if edit != nil {
		edit(&opts)
	}
	w, err := Start(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func waitAcked(t *testing.T, w *Writer, since time.Time) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := w.WaitAcked(ctx, since); err != nil {
		t.Fatal(err)
	}
}

func stop(t *testing.T, w *Writer) Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	r, err := w.Stop(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// await polls until ok.
func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited %s for %s", patience, what)
		}
	}
}

// awaitCause waits until so many attempts ended for the reason.
func awaitCause(t *testing.T, w *Writer, cause Cause, times int) {
	t.Helper()
	await(t, fmt.Sprintf("%d attempts that end with %s", times, cause), func() bool {
		r, err := w.Result()
		if err != nil {
			t.Fatal(err)
		}
		seen := 0
		for _, a := range r.Attempts {
			if a.Cause == cause {
				seen++
			}
		}
		return seen >= times
	})
}

// outage returns the one gap in which attempts failed.
func outage(t *testing.T, r Result) Gap {
	t.Helper()
	gaps := slices.DeleteFunc(r.Gaps(0), func(g Gap) bool { return g.Failed+g.Unknown == 0 })
	if len(gaps) != 1 {
		t.Fatalf("want one outage: %+v", gaps)
	}
	return gaps[0]
}

// ackedAt returns the row that was acknowledged at the moment.
func ackedAt(t *testing.T, r Result, moment time.Time) int64 {
	t.Helper()
	for _, a := range r.Attempts {
		if a.Done.Equal(moment) {
			return a.Seq
		}
	}
	t.Fatalf("no row was acknowledged at %s", moment)
	return 0
}

// TestOutages lets the server fail in known ways, and holds what the writer says against the
// server's own record.
func TestOutages(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		begin func(*server)
		end   func(*server)
		cause Cause // of which there must be so many before the end
		times int
		lost  bool // whether an answer can be lost on its way
	}{
		{"refused", (*server).refuse, (*server).listen, CauseRefused, 50, true},
		{"reset", (*server).reset, func(*server) {}, CauseClosed, 1, true},
		{"hung", (*server).hang, func(*server) {}, CauseTimeout, 1, true},
		{"demoted", (*server).demote, func(*server) {}, CauseReadOnly, 1, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			w := start(t, s, func(o *Options) {
				if tc.cause == CauseTimeout {
					o.StatementTimeout = 300 * time.Millisecond
				}
			})
			waitAcked(t, w, time.Now())
			tc.begin(s)
			awaitCause(t, w, tc.cause, tc.times)
			tc.end(s)
			back := time.Now()
			waitAcked(t, w, back)
			waitAcked(t, w, time.Now())
			r := stop(t, w)

			gap := outage(t, r)
			if gap.Causes[tc.cause] < tc.times || gap.Open {
				t.Errorf("want a closed gap with %d attempts that ended with %s: %+v", tc.times,
					tc.cause, gap)
			}
			record := s.between(ackedAt(t, r, gap.Start), ackedAt(t, r, gap.End)).Seconds()
			if diff := gap.Seconds - record; diff < -0.5 || diff > 0.5 {
				t.Errorf("the gap lasted %.3f s, and %.3f s by the server's record",
					gap.Seconds, record)
			}
			if late := gap.End.Sub(back); late > 5*time.Second {
				t.Errorf("the writer noticed the end of the outage after %s", late)
			}
			if !tc.lost && r.Count(Unknown) > 0 {
				t.Errorf("%d rows of unknown fate, though every one was answered", r.Count(Unknown))
			}
			c := r.Compare(s.table())
			if diff := cmp.Diff([][]int64{{}, {}}, [][]int64{c.Lost, c.Unexplained}); diff != "" {
				t.Errorf("lost, unexplained (-want +got):\n%s", diff)
			}
			if s.cancels > 0 {
				t.Errorf("%d cancel requests", s.cancels)
			}
		})
	}
}

// TestBlackHole gives the writer an address at which nobody answers for a while. It waits for a
// login that hangs until its bound, and begins none beside it.
func TestBlackHole(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	var silent atomic.Bool
	var dials, together atomic.Int32
	w := start(t, s, func(o *Options) {
		dial := o.Config.DialFunc
		o.Config.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
			if silent.Load() {
				dials.Add(1)
				if together.Add(1) > 1 {
					t.Error("two logins at the same time")
				}
				<-ctx.Done()
				together.Add(-1)
				return nil, ctx.Err()
			}
			return dial(ctx, network, address)
		}
		o.LoginTimeout = 30 * time.Millisecond
	})
	silent.Store(true)
	s.reset()
	await(t, "three logins", func() bool { return dials.Load() >= 3 })
	silent.Store(false)
	waitAcked(t, w, time.Now())
	r := stop(t, w)
	if gap := outage(t, r); gap.Skipped == 0 || gap.Open || gap.Causes[CauseTimeout] < 2 {
		t.Errorf("outage %+v", gap)
	}
	if longest := r.LongestCall(); longest < 30*time.Millisecond {
		t.Errorf("the longest call took %s, less than a login that hung", longest)
	}
}

// deaf is a connection without deadlines, as SSH has them.
type deaf struct{ net.Conn }

func (deaf) SetDeadline(time.Time) error { return errors.ErrUnsupported }

// TestHungWithoutDeadlines: the bounds hold over connections that have none of their own.
func TestHungWithoutDeadlines(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	w := start(t, s, func(o *Options) {
		o.StatementTimeout = 300 * time.Millisecond
		dial := o.Config.DialFunc
		o.Config.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dial(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return deaf{conn}, nil
		}
	})
	s.hang()
	awaitCause(t, w, CauseTimeout, 1)
	waitAcked(t, w, time.Now())
	stop(t, w)
}

// TestWaitAckedLooksAtTheBeginning: a row that was under way before the moment in question says
// nothing of what came after it.
func TestWaitAckedLooksAtTheBeginning(t *testing.T) {
	t.Parallel()
	w := &Writer{recorder: &recorder{changed: make(chan struct{})}}
	w.recorder.keep([]Attempt{
		{Seq: 1, Began: at(0), Done: at(50), Outcome: Acked},
		{Seq: 2, Began: at(100), Done: at(150), Outcome: Unknown},
	}, nil)
	over, cancel := context.WithCancel(t.Context())
	cancel()
	for since, want := range map[int]error{-10: nil, 10: context.Canceled, 60: context.Canceled} {
		if err := w.WaitAcked(over, at(since)); !errors.Is(err, want) {
			t.Errorf("since %d ms: got %v, want %v", since, err, want)
		}
	}
}

// TestHungLogin meets a server that takes connections and then says nothing.
func TestHungLogin(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	w := start(t, s, func(o *Options) { o.LoginTimeout = 100 * time.Millisecond })
	s.set(func() { s.silent = true })
	s.reset()
	await(t, "silent logins", func() (enough bool) {
		s.set(func() { enough = s.silences >= 5 })
		return enough
	})
	s.set(func() { s.silent = false })
	waitAcked(t, w, time.Now())
	if gap := outage(t, stop(t, w)); gap.Open || gap.Causes[CauseTimeout] == 0 {
		t.Errorf("outage %+v", gap)
	}
	if s.set(func() {}); s.cancels > 0 {
		t.Errorf("%d cancel requests", s.cancels)
	}
}

// TestClients has each client write for a while: it has its connections and no other, every row is
// there once, and after a reset all continues.
func TestClients(t *testing.T) {
	t.Parallel()
	for _, client := range Clients() {
		t.Run(string(client), func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			var dials atomic.Int32
			w := start(t, s, func(o *Options) {
				o.Client, o.Rate = client, 200
				dial := o.Config.DialFunc
				o.Config.DialFunc = func(ctx context.Context, network, address string) (net.Conn,
					error) {
					dials.Add(1)
					return dial(ctx, network, address)
				}
			})
			rows := func(n int) {
				t.Helper()
				await(t, "rows", func() bool {
					r, _ := w.Result()
					return r.Count(Acked) >= n
				})
			}
			rows(50)
			before := int(dials.Load())
			if want := client.connections(); client != ConnectsEachTime && before != want ||
				client == ConnectsEachTime && before < 50 {
				t.Errorf("%d connections were opened", before)
			}
			s.set(func() {
				if most := client.connections(); len(s.conns) > most {
					t.Errorf("%d connections are open, want %d at most", len(s.conns), most)
				}
			})
			s.reset()
			rows(100)
			r := stop(t, w)
			if c := r.Compare(s.table()); len(c.Lost)+len(c.Unexplained) > 0 || r.Client != client {
				t.Errorf("comparison of %s: %+v", r.Client, c)
			}
			if most := before + client.connections(); client != ConnectsEachTime &&
				int(dials.Load()) > most {
				t.Errorf("%d connections after the reset, want %d at most", dials.Load(), most)
			}
			for i, a := range r.Attempts[1:] {
				if a.Done.Before(r.Attempts[i].Done) {
					t.Errorf("attempt %d was done before the one before it", a.Seq)
				}
			}
		})
	}
}

// TestPoolGoesOn hangs one connection of a pool: the others write on.
func TestPoolGoesOn(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	w := start(t, s, func(o *Options) { o.Client = Pools })
	await(t, "all connections", func() (all bool) {
		s.set(func() { all = len(s.conns) == Pools.connections() })
		return all
	})
	s.set(func() {
		for conn := range s.conns {
			s.mute[conn] = true
			break
		}
	})
	for range 10 {
		waitAcked(t, w, time.Now())
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.Stop(over); err != nil {
		t.Error(err)
	}
}

func TestNextTick(t *testing.T) {
	t.Parallel()
	for done, want := range map[int][2]int{
		1: {10, 0}, 9: {10, 0}, 15: {10, 0}, 20: {20, 1}, 29: {20, 1}, 30: {30, 2},
		1005: {1000, 99},
	} {
		next, skipped := nextTick(at(0), at(done), 10*time.Millisecond)
		if !next.Equal(at(want[0])) || skipped != want[1] {
			t.Errorf("done after %d ms: next at %s, %d skipped, want %v", done, next.Sub(at(0)),
				skipped, want)
		}
	}
}

// TestLostRow has the server acknowledge a row and forget it.
func TestLostRow(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	w := start(t, s, nil)
	s.set(func() { s.lose = true })
	waitAcked(t, w, time.Now())
	r := stop(t, w)
	if c := r.Compare(s.table()); len(c.Lost) != 1 || len(c.Unexplained) != 0 {
		t.Errorf("one row was lost, and the comparison says %+v", c)
	}
	if r.Count(Failed)+r.Count(Unknown) > 0 {
		t.Errorf("attempts failed on a server that works: %+v", r.Longest())
	}
}

// TestLostAnswer has the server keep a row and break the connection instead of saying so.
func TestLostAnswer(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	w := start(t, s, nil)
	s.set(func() { s.cut = true })
	awaitCause(t, w, CauseClosed, 1)
	r := stop(t, w)
	if c := r.Compare(s.table()); len(c.Arrived) != 1 || len(c.Lost)+len(c.Unexplained) != 0 {
		t.Errorf("one row arrived without an answer, and the comparison says %+v", c)
	}
}

// TestLog holds the log to the result: every acknowledged row is in it, none else, and nobody else
// can read it.
func TestLog(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	path := filepath.Join(t.TempDir(), "acked.log")
	var want string
	for range 2 {
		w := start(t, s, func(o *Options) { o.Log = path })
		s.reset()
		waitAcked(t, w, time.Now())
		for _, a := range stop(t, w).Attempts {
			if a.Outcome == Acked {
				want += fmt.Sprintf("%s %d %d\n", w.Run(), a.Seq, a.Done.UnixNano())
			}
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(string(got), "\n")); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode of the log: %v, %v", info.Mode(), err)
	}
}

// TestFullDisk: what cannot be logged does not count, and ends the writer.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	_, err := Start(t.Context(), Options{Config: s.config(t), Log: "/dev/full"})
	if err == nil || !strings.Contains(err.Error(), "log of acknowledged rows") {
		t.Errorf("got %v", err)
	}
	w := start(t, s, func(o *Options) { o.Log = filepath.Join(t.TempDir(), "log") })
	w.recorder.log.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := w.WaitAcked(ctx, time.Now().Add(patience)); !errors.Is(err, ErrStopped) ||
		!errors.Is(err, os.ErrClosed) {
		t.Errorf("waiting for a row: %v", err)
	}
	r, err := w.Stop(ctx)
	if !errors.Is(err, os.ErrClosed) {
		t.Errorf("stop: %v", err)
	}
	if len(s.table()) <= r.Count(Acked) {
		t.Errorf("%d rows count, %d were written", r.Count(Acked), len(s.table()))
	}
}

// TestStop ends writers in all ways, also twice and while a statement hangs.
func TestStop(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	w := start(t, s, func(o *Options) { o.StatementTimeout = time.Hour })
	s.hang()
	over, cancel := context.WithCancel(t.Context())
	cancel()
	first, err := w.Stop(over)
	if err != nil {
		t.Error(err)
	}
	again, err := w.Stop(t.Context())
	if diff := cmp.Diff(first, again, cmpopts.EquateEmpty()); diff != "" || err != nil {
		t.Errorf("stopped again: %v\n%s", err, diff)
	}
	if err := w.WaitAcked(t.Context(), time.Now()); !errors.Is(err, ErrStopped) {
		t.Errorf("waiting for a row of a stopped writer: %v", err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	w, err = Start(ctx, Options{Config: s.config(t)})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.WaitAcked(over, time.Now().Add(time.Hour)); !errors.Is(err, context.Canceled) {
		t.Errorf("waiting with a ctx that is over: %v", err)
	}
	cancel()
	if r := stop(t, w); r.Count(Acked) == 0 {
		t.Error("the first row is missing")
	}
}

func TestStartRefuses(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	cfg := s.config(t)
	replica := newServer(t)
	replica.replica = true
	for want, opts := range map[string]Options{
		"no connection configuration":      {},
		"rate -1 is not between":           {Config: cfg, Rate: -1},
		"rate NaN is not between":          {Config: cfg, Rate: nan()},
		"login timeout -1s is negative":    {Config: cfg, LoginTimeout: -time.Second},
		`no client is called "poll"`:       {Config: cfg, Client: "poll"},
		"open log of acknowledged rows":    {Config: cfg, Log: "/nonexistent/log"},
		`make table "public"."pgha_probe"`: {Config: replica.config(t)},
		`make table "a""b"`:                {Config: cfg, Table: pgx.Identifier{`a"b`}},
	} {
		_, err := Start(t.Context(), opts)
		if err == nil || !strings.HasPrefix(err.Error(), "start writer: ") ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	s.refuse()
	if _, err := Start(t.Context(), Options{Config: cfg}); causeOf(err) != CauseRefused {
		t.Errorf("got %v", err)
	}
}

func nan() float64 { var zero float64; return zero / zero }
