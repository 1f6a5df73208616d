package site

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/pgha/toolkit/pgha/internal/testkit"
	"github.com/pgha/toolkit/pgha/spec"
)

// asking gets an answer from a person.
func asking(q *questions, prompt string) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) { return q.ask(ctx, prompt) }
}

// TestEachQuestionOnce has six hosts ask for the same passphrase and sudo password at once.
func TestEachQuestionOnce(t *testing.T) {
	t.Parallel()
	var open, most atomic.Int32
	var mu sync.Mutex
	asked := map[string]int{}
	q := newQuestions(func(_ context.Context, prompt string) (string, error) {
		most.Store(max(most.Load(), open.Add(1)))
		defer open.Add(-1)
		mu.Lock()
		defer mu.Unlock()
		asked[prompt]++
		return "answer", nil
	}, spec.SSH{})
	var all sync.WaitGroup
	for i := range 6 {
		all.Go(func() {
			if s, err := q.once(t.Context(), "passphrase key", nil,
				asking(q, "passphrase of key")); s != "answer" ||
				err != nil {
				t.Error(s, err)
			}
			if s, err := q.sudoPassword("admin", fmt.Sprintf("host-%d",
				i))(t.Context()); s != "answer" || err != nil {
				t.Error(s, err)
			}
		})
	}
	all.Wait()
	if most.Load() != 1 || len(asked) != 2 || asked["passphrase of key"] != 1 {
		t.Errorf("%d at once, asked %v", most.Load(), asked)
	}
}

// TestRefusedSudoPassword asks again where a password is refused, and the others take the new one
// unasked.
func TestRefusedSudoPassword(t *testing.T) {
	t.Parallel()
	answers := []string{"wrong", "right", "third"}
	var prompts []string
	q := newQuestions(func(_ context.Context, prompt string) (string, error) {
		prompts = append(prompts, prompt)
		return answers[len(prompts)-1], nil
	}, spec.SSH{})
	a, b := q.sudoPassword("admin", "a"), q.sudoPassword("admin", "b")
	var got []string
	for _, ask := range []func(context.Context) (string, error){a, b, a, b, b} {
		s, err := ask(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, s)
	}
	if text := strings.Join(got, " "); text != "wrong wrong right right third" {
		t.Error(text)
	}
	if text := strings.Join(prompts,
		"; "); text != "sudo password of admin on a; sudo password of admin on a (the one before "+
		"was refused); sudo password of admin on b (the one before was refused)" {
		t.Error(text)
	}
}

// TestQuestionsEndWithTheContext waits for its turn behind somebody who never answers.
func TestQuestionsEndWithTheContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	begun := make(chan struct{})
	q := newQuestions(func(ctx context.Context, _ string) (string, error) {
		close(begun) // a second time panics: anyone who waits for a turn is not asked after the end
		<-ctx.Done()
		return "", ctx.Err()
	}, spec.SSH{})
	first := make(chan error, 1)
	go func() {
		_, err := q.once(ctx, "a", nil, asking(q, "a"))
		first <- err
	}()
	<-begun
	second := make(chan error, 1)
	go func() {
		_, err := q.once(ctx, "b", nil, asking(q, "b"))
		second <- err
	}()
	cancel()
	for _, c := range []chan error{first, second} {
		if err := <-c; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
	if _, ok := q.known("a"); ok {
		t.Error("an answer that was not given is kept")
	}
}

// TestNobodyToAsk is not asked again for every host.
func TestNobodyToAsk(t *testing.T) {
	t.Parallel()
	asked := 0
	q := newQuestions(func(context.Context, string) (string, error) {
		asked++
		return "", errors.New("no terminal")
	},
		spec.SSH{})
	for range 3 {
		if _, err := q.once(t.Context(), "a", nil, asking(q, "a")); err == nil {
			t.Error("answered")
		}
	}
	if asked != 1 {
		t.Errorf("asked %d times", asked)
	}
}

func TestNoIdentityFilesMeansNone(t *testing.T) {
	t.Parallel()
	sp := testkit.Spec(t)
	sp.SSH.IdentityFiles = []string{}
	if cfg := sshConfig(t.Context(), sp, sp.Hosts[0], Options{}, nil); cfg.IdentityFiles == nil ||
		len(cfg.IdentityFiles) != 0 {
		t.Errorf("%#v", cfg.IdentityFiles)
	}
	sp.SSH.IdentityFiles = nil
	if cfg := sshConfig(t.Context(), sp, sp.Hosts[0], Options{}, nil); cfg.IdentityFiles != nil {
		t.Errorf("%#v", cfg.IdentityFiles)
	}
	sp.SSH.Jump = "me@[2001:db8::1]:2222"
	if jump := sshConfig(t.Context(), sp, sp.Hosts[0], Options{},
		nil).Jump; jump.Address != "2001:db8::1" ||
		jump.Port != 2222 || jump.User != "me" {
		t.Errorf("%+v", jump)
	}
}
