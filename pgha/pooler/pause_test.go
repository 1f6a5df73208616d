package pooler

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/remote"
)

// balancer answers the program that holds clients: one answer after the other, the last one for
// ever.
type balancer struct {
	name string
	mu   sync.Mutex
	// pauses are answers to a pause: what it prints, after a code where that is not 0 ("3 text"),
	// or "gone".
	pauses, resumes []string
	ran             []string
}

func (b *balancer) Run(ctx context.Context, cmd remote.Cmd) (remote.Result, error) {
	if err := ctx.Err(); err != nil {
		return remote.Result{ExitCode: -1}, remote.OnHost(b.name, err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ran = append(b.ran, strings.Join(cmd.Argv[1:], " "))
	list := &b.pauses
	if cmd.Argv[1] == "resume" {
		list = &b.resumes
	}
	text := ""
	if len(*list) > 0 {
		text = (*list)[0]
	}
	if len(*list) > 1 {
		*list = (*list)[1:]
	}
	if text == "gone" {
		return remote.Result{ExitCode: -1}, remote.OnHost(b.name, remote.ErrUnreachable)
	}
	for code, number := range map[string]int{"3 ": 3, "127 ": 127, "1 ": 1} {
		if rest, bad := strings.CutPrefix(text, code); bad {
			res := remote.Result{ExitCode: number, Stdout: []byte(rest), Stderr: []byte("words")}
			return res, remote.NewExitError(b.name, cmd, res)
		}
	}
	return remote.Result{Stdout: []byte(text)}, nil
}

func (b *balancer) Put(context.Context, io.Reader, remote.FileMeta) (bool, error) {
	return false, fs.ErrPermission
}
func (b *balancer) Get(context.Context, string) (io.ReadCloser, error) { return nil, fs.ErrNotExist }
func (b *balancer) Close() error                                       { return nil }
func (b *balancer) String() string                                     { return b.name }

// count is how many times a command was run.
func (b *balancer) count(verb string) (n int) {
	for _, line := range b.ran {
		if strings.HasPrefix(line, verb) {
			n++
		}
	}
	return n
}

func optionsOf(list ...*balancer) Options {
	o := Options{Progress: func(string) {}}
	for _, b := range list {
		o.Balancers = append(o.Balancers, Balancer{Target: &remote.Target{
			Host: remote.Host{Name: b.name}, Executor: b}})
	}
	return o
}

// TestPause: all are held, or nobody is. One that does not manage is tried again, with everybody's
// clients going on meanwhile; one that cannot be reached ends it at once.
func TestPause(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		one, two []string // what they answer to pauses
		tries    int
		want     error
		says     string
		silent   string
		sessions string
	}{
		"both manage": {nil, nil, 1, nil, "", "", ""},
		"one is silent, and keeps sessions": {[]string{"write\tsilent\nread\tsession\tapp\n"},
			[]string{"read\tsession\tapp\nread\tsession\tother\n"}, 1, nil, "", "lb1 (write)", "app other"},
		"no program yet": {[]string{"127 "}, nil, 1, nil, "", "lb1", ""},
		"words that nobody knows": {[]string{"\n\t\nwrite\nwrite\tsession\nwrite\tdone\tx\nx y z"},
			nil, 1,
			nil, "", "", ""},
		"the second time": {[]string{"3 4\tlate\tapp\tpid 7\n", ""}, nil, 2, nil, "",
			"", ""},
		"never": {nil, []string{"3 4\tlate\tapp\tpid 7\n"}, 3, ErrBusy,
			"app, pid 7, for 4s", "", ""},
		"never, and says nothing of whom": {nil, []string{"3 4\tlate\n"}, 3, ErrBusy, "for 4s", "", ""},
		"it is gone": {nil, []string{"gone"}, 1, remote.ErrUnreachable, "lb2", "",
			""},
		"it fails": {nil, []string{"1 "}, 1, nil, "words", "", ""},
		"busy, and then gone": {[]string{"3 4\tlate\tapp\n", "gone"}, nil, 2,
			remote.ErrUnreachable, "lb1", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				one, two := &balancer{name: "lb1", pauses: tt.one}, &balancer{name: "lb2", pauses: tt.two}
				held, err := Pause(t.Context(), optionsOf(one, two), PauseOptions{})
				if (err == nil) != (tt.want == nil && tt.says == "") || tt.want != nil &&
					!errors.Is(err, tt.want) || err != nil && !strings.Contains(err.Error(), tt.says) {
					t.Errorf("%v", err)
				}
				if got := strings.Join(held.Silent, " "); got != tt.silent {
					t.Errorf("silent %q", got)
				}
				for _, database := range strings.Fields(tt.sessions) {
					if !strings.Contains(strings.Join(held.Sessions, " "), database) ||
						len(held.Sessions) != len(strings.Fields(tt.sessions)) {
						t.Errorf("sessions %q", held.Sessions)
					}
				}
				for _, b := range []*balancer{one, two} {
					resumed := tt.tries // after each try that failed
					if err == nil {
						resumed--
					}
					if b.count("pause") != tt.tries || b.count("resume") != resumed {
						t.Errorf("%s ran %q", b.name, b.ran)
					}
				}
			})
		})
	}
}

// TestPauseIsCancelled between two tries: everybody's clients go on.
func TestPauseIsCancelled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &balancer{name: "lb1", pauses: []string{"3 4\tlate\tapp\n"}}
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		_, err := Pause(ctx, optionsOf(b), PauseOptions{Only: Read, Manage: 1500 * time.Millisecond})
		if !errors.Is(err, context.DeadlineExceeded) || b.count("resume") != 1 ||
			b.ran[0] != "pause 1.5 9 read" {
			t.Errorf("%v, ran %q", err, b.ran)
		}
		// One that has been held when ctx ends continues, too.
		gone, end := context.WithCancel(t.Context())
		end()
		b = &balancer{name: "lb1"}
		if _, err := Pause(gone, optionsOf(b), PauseOptions{Tries: 1}); !errors.Is(err,
			context.Canceled) || b.count("resume") != 1 {
			t.Errorf("%v, ran %q", err, b.ran)
		}
	})
}

// TestStillPaused: clients that cannot be let go on are an error that says what does, and both
// faults are told where holding them failed, too.
func TestStillPaused(t *testing.T) {
	t.Parallel()
	b := &balancer{name: "lb1", resumes: []string{"1 "}}
	if err := Resume(t.Context(), optionsOf(b)); !errors.Is(err, ErrStillPaused) ||
		!strings.Contains(errs.NextOf(err).String(), "timer") {
		t.Errorf("%v", err)
	}
	b = &balancer{name: "lb1", pauses: []string{"3 4\tlate\tapp\n"}, resumes: []string{"gone"}}
	_, err := Pause(t.Context(), optionsOf(b), PauseOptions{})
	if !errors.Is(err, ErrStillPaused) || !errors.Is(err, ErrBusy) || b.count("pause") != 1 {
		t.Errorf("%v, ran %q", err, b.ran)
	}
	if err := ResumeOn(t.Context(), optionsOf(b).Balancers[0].Target, Write); err == nil ||
		b.ran[len(b.ran)-1] != "resume write" {
		t.Errorf("%v, ran %q", err, b.ran)
	}
	if held, err := Pause(t.Context(), Options{}, PauseOptions{}); err != nil || len(held.Silent) > 0 {
		t.Errorf("without balancers: %+v, %v", held, err)
	}
}
