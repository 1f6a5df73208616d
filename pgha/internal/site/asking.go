package site

import (
	"context"
	"fmt"
	"sync"

	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/remote/ssh"
	"github.com/pgha/toolkit/pgha/spec"
)

// questions gets secrets from what the spec names for them, else from a person: one question at a
// time, and each only once for all hosts. What is asked on one terminal by six hosts at once would
// be answered to any of them. Safe for concurrent use; nil has no answers.
type questions struct {
	// nil: there is nobody
	ask              func(ctx context.Context, prompt string) (string, error)
	passphrase, sudo given
	turn             chan struct{} // held while somebody is asked

	mu       sync.Mutex
	answered map[string]answer
}

// answer is what a question came to: an error is not asked for again either.
type answer struct {
	text string
	err  error
}

func newQuestions(ask func(context.Context, string) (string, error), ssh spec.SSH) *questions {
	q := &questions{ask: ask, turn: make(chan struct{}, 1), answered: map[string]answer{},
		passphrase: given{"ssh.passphrase", ssh.PassphraseFile, ssh.PassphraseCommand},
		sudo:       given{"ssh.sudo_password", ssh.SudoPasswordFile, ssh.SudoPasswordCommand}}
	if ask == nil && !q.passphrase.named() && !q.sudo.named() {
		return nil
	}
	return q
}

// answer makes a connection get its answers here. Ctx is the connection's.
func (q *questions) answer(ctx context.Context, host string, cfg *ssh.Config) {
	if q == nil {
		return
	}
	user := cfg.User
	if q.ask != nil {
		cfg.Password = func(ctx context.Context) (string, error) {
			prompt := "password of " + user + " on " + host
			return q.once(ctx, prompt, nil, func(ctx context.Context) (string, error) {
				return q.ask(ctx, prompt)
			})
		}
	}
	if q.ask != nil || q.sudo.named() {
		cfg.SudoPassword = q.sudoPassword(user, host)
	}
	if q.ask != nil || q.passphrase.named() {
		cfg.Passphrase = func(file string) ([]byte, error) {
			s, err := q.once(ctx, "passphrase "+file, nil,
				func(ctx context.Context) (string, error) { return q.opens(ctx, file) })
			return []byte(s), err
		}
	}
}

// known returns what was answered to a question.
func (q *questions) known(question string) (answer, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	a, ok := q.answered[question]
	return a, ok
}

// once gets the answer to a question unless there is one. An answer other than stale counts: it was
// given since.
func (q *questions) once(ctx context.Context, question string, stale *string,
	get func(context.Context) (string,
		error)) (string, error) {
	select {
	case q.turn <- struct{}{}:
		defer func() { <-q.turn }()
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
	if ctx.Err() != nil { // the turn came with the end
		return "", context.Cause(ctx)
	}
	if a, ok := q.known(question); ok && (a.err != nil || stale == nil || a.text != *stale) {
		return a.text, a.err
	}
	text, err := get(ctx)
	if ctx.Err() == nil {
		q.mu.Lock()
		q.answered[question] = answer{text, err}
		q.mu.Unlock()
	}
	return text, err
}

// sudoPassword returns what answers sudo's question on one host: the password that worked or is to
// be tried on all hosts, and where that is refused another one.
func (q *questions) sudoPassword(user, host string) func(context.Context) (string, error) {
	var mu sync.Mutex
	var refused *string
	return func(ctx context.Context) (string, error) {
		mu.Lock()
		defer mu.Unlock()
		prompt := "sudo password of " + user + " on " + host
		if refused != nil {
			prompt += " (the one before was refused)"
		}
		text, err := q.once(ctx, "sudo "+user, refused, func(ctx context.Context) (string, error) {
			switch {
			case refused == nil && q.sudo.named():
				return q.sudo.read(ctx)
			case q.ask == nil:
				return "", fmt.Errorf("sudo on %s refuses the one of %s", host, q.sudo.field())
			}
			text, err := q.ask(ctx, prompt)
			if err != nil && !q.sudo.named() {
				err = remote.WithHint(err,
					"for runs without a terminal let ssh.sudo_password_file or "+
						"ssh.sudo_password_command of the spec answer")
			}
			return text, err
		})
		refused = &text
		return text, err
	}
}

// attempts is how often a person may mistype a passphrase, as with ssh.
const attempts = 3

// opens returns the passphrase that opens a key: the one that the spec names, else the one that a
// person types.
func (q *questions) opens(ctx context.Context, file string) (string, error) {
	prompt := "passphrase of " + file
	if q.passphrase.named() {
		text, err := q.passphrase.read(ctx)
		if err != nil {
			return "", err
		}
		if err = ssh.CheckPassphrase(file, []byte(text)); err == nil {
			return text, nil
		}
		if q.ask == nil {
			return "", fmt.Errorf("%s: %w", q.passphrase.field(), err)
		}
		prompt += " (that of " + q.passphrase.field() + " does not open it)"
	}
	var wrong error
	for range attempts {
		text, err := q.ask(ctx, prompt)
		if err != nil {
			return "", err
		}
		if wrong = ssh.CheckPassphrase(file, []byte(text)); wrong == nil {
			return text, nil
		}
		prompt = "passphrase of " + file + " (the one before was wrong)"
	}
	return "", wrong
}
