package pgha

import (
	"context"
	"sync"
)

// questions asks a person for secrets: one question at a time, and each only once for all hosts. What is asked on one
// terminal by six hosts at once would be answered to any of them. Safe for concurrent use.
type questions struct {
	ask  func(ctx context.Context, prompt string) (string, error)
	turn chan struct{} // held while somebody is asked

	mu       sync.Mutex
	answered map[string]answer
}

// answer is what a question came to: an error is not asked for again either.
type answer struct {
	text string
	err  error
}

func newQuestions(ask func(context.Context, string) (string, error)) *questions {
	if ask == nil {
		return nil
	}
	return &questions{ask: ask, turn: make(chan struct{}, 1), answered: map[string]answer{}}
}

// known returns what was answered to a question.
func (q *questions) known(question string) (answer, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	a, ok := q.answered[question]
	return a, ok
}

// once asks a question unless it has been answered, in these words. An answer other than stale counts: it was given since.
func (q *questions) once(ctx context.Context, question, prompt string, stale *string) (string, error) {
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
	text, err := q.ask(ctx, prompt)
	if ctx.Err() == nil {
		q.mu.Lock()
		q.answered[question] = answer{text, err}
		q.mu.Unlock()
	}
	return text, err
}

// sudo returns what answers sudo's question on one host: the password that worked or is to be tried on all hosts, and where
// that is refused another one.
func (q *questions) sudo(user, host string) func(context.Context) (string, error) {
	var mu sync.Mutex
	var refused *string
	return func(ctx context.Context) (string, error) {
		mu.Lock()
		defer mu.Unlock()
		prompt := "sudo password of " + user + " on " + host
		if refused != nil {
			prompt += " (the one before was refused)"
		}
		text, err := q.once(ctx, "sudo "+user, prompt, refused)
		refused = &text
		return text, err
	}
}
