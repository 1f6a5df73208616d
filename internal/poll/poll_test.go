package poll_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pgha/toolkit/internal/poll"
	"github.com/pgha/toolkit/pgha/errs"
)

var errSilent = errors.New("no answer")

// answers is a look that gives one answer after the other, and the last again and again. "" is
// that nothing is missing, "!" a failure.
func answers(list ...string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) {
		answer := list[0]
		if len(list) > 1 {
			list = list[1:]
		}
		if answer == "!" {
			return "", errSilent
		}
		return answer, nil
	}
}

func TestUntilLooksAgainUntilNothingIsMissing(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		looks []string
		after time.Duration
		told  []string
	}{
		"at once":         {[]string{""}, 0, nil},
		"after two looks": {[]string{"m1", "m1", ""}, 2 * time.Second, []string{"m1"}},
		"what is missing changes": {
			[]string{"m1, m2", "m2", "m2", "m1", ""}, 4 * time.Second,
			[]string{"m1, m2", "m2", "m1"},
		},
		"looks fail for a while": {[]string{"!", "!", "!", ""}, 3 * time.Second, nil},
		"one look fails in between": {[]string{"m1", "!", "m1", ""}, 3 * time.Second,
			[]string{"m1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				var told []string
				err := poll.Until(t.Context(), poll.Options{
					What: "all members", Bound: time.Minute, Every: time.Second,
					Progress: func(missing string) { told = append(told, missing) },
				}, answers(c.looks...))
				if took := time.Since(start); err != nil || took != c.after ||
					!slices.Equal(told, c.told) {
					t.Errorf("got %v after %s, told %q; want nil after %s, told %q", err, took,
						told, c.after, c.told)
				}
			})
		})
	}
}

func TestUntilTimesOut(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		looks []string
		text  string
		keeps error
	}{
		"something missing": {
			[]string{"m1", "m2"}, "timed out after 10s waiting for all members; last seen: m2", nil,
		},
		"no look succeeds":      {[]string{"!"}, "last seen: no answer", errSilent},
		"the last looks fail":   {[]string{"m1", "!"}, "last seen: no answer", errSilent},
		"an answer at the last": {[]string{"!", "m1"}, "last seen: m1", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				err := poll.Until(t.Context(), poll.Options{
					What: "all members", Bound: 10 * time.Second, Next: errs.Text("ask m1"),
				}, answers(c.looks...))
				var timeout *errs.TimeoutError
				if !errors.As(err, &timeout) || !errors.Is(err, errs.ErrTimeout) ||
					!strings.Contains(err.Error(), c.text) {
					t.Fatalf("got %v, want a timeout with %q", err, c.text)
				}
				if timeout.After != 10*time.Second || errs.NextOf(err).String() != "ask m1" ||
					!errors.Is(timeout.Last, c.keeps) && c.keeps != nil {
					t.Errorf("got %+v", timeout)
				}
				if errors.Is(err, errSilent) != (c.keeps != nil) {
					t.Errorf("%v: keeps the last look's error: %t", err, c.keeps == nil)
				}
			})
		})
	}
}

func TestUntilTimesOutWithTheContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var timeout *errs.TimeoutError
		err := poll.Until(ctx, poll.Options{What: "m1"}, answers("m1 starts"))
		if !errors.As(err, &timeout) || timeout.After != time.Second {
			t.Errorf("without a bound: got %v", err)
		}
	})
}

func TestUntilEndsWhenCanceled(t *testing.T) {
	t.Parallel()
	lost := errors.New("lock lost")
	for name, cause := range map[string]error{"by the caller": nil, "with a cause": lost} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				time.AfterFunc(time.Second, func() { cancel(cause) })
				want := cause
				if want == nil {
					want = context.Canceled
				}
				start := time.Now()
				err := poll.Until(ctx, poll.Options{
					What: "m1", Bound: time.Hour, Every: time.Minute,
				}, answers("m1 starts"))
				if !errors.Is(err, want) || errors.Is(err, errs.ErrTimeout) ||
					time.Since(start) != time.Second {
					t.Errorf("got %v after %s, want %v at once", err, time.Since(start), want)
				}
			})
		})
	}
}

func TestUntilDoesNotBelieveALookThatWasCutOff(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]error{"done": nil, "failed": errSilent,
		"stopped": poll.Stop(errSilent)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				looks := 0
				err := poll.Until(t.Context(), poll.Options{
					What: "m1", Bound: time.Second,
				}, func(ctx context.Context) (string, error) {
					if looks++; looks == 1 {
						return "m1 starts", nil
					}
					<-ctx.Done()
					return "", answer
				})
				if !errors.Is(err, errs.ErrTimeout) ||
					!strings.HasSuffix(err.Error(), "last seen: m1 starts") {
					t.Errorf("got %v", err)
				}
			})
		})
	}
}

func TestUntilKeepsTheErrorOfASlowFirstLook(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		err := poll.Until(t.Context(), poll.Options{
			What: "m1", Bound: time.Second,
		}, func(ctx context.Context) (string, error) {
			<-ctx.Done()
			return "", errSilent
		})
		if !errors.Is(err, errs.ErrTimeout) || !errors.Is(err, errSilent) {
			t.Errorf("got %v", err)
		}
	})
}

func TestUntilStops(t *testing.T) {
	t.Parallel()
	looks := 0
	err := poll.Until(t.Context(), poll.Options{What: "m1"}, func(context.Context) (string, error) {
		looks++
		return "", poll.Stop(errSilent)
	})
	if err != errSilent || looks != 1 { //nolint:errorlint // exactly this one
		t.Errorf("got %v after %d looks", err, looks)
	}
	if poll.Stop(nil) != nil {
		t.Error("Stop makes an error of none")
	}
}

func TestPause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		if err := poll.Pause(t.Context(), time.Minute); err != nil ||
			time.Since(start) != time.Minute {
			t.Errorf("got %v after %s", err, time.Since(start))
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(errSilent)
		if err := poll.Pause(ctx, time.Minute); !errors.Is(err, errSilent) {
			t.Errorf("got %v, want the cause", err)
		}
	})
}
