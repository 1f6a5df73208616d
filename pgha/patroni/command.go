package patroni

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/pgha/toolkit/internal/suggest"

	"github.com/pgha/toolkit/pgha/remote"
)

// cleanupTimeout bounds what is taken back after the caller gave up.
const cleanupTimeout = 10 * time.Second

// response is what a member's Patroni said to an unsafe request.
type response struct {
	StatusError
	// lost is why there is no answer although the request was sent: it may have been carried out.
	lost error
}

// good reports whether Patroni said that it did, or will do, what it was asked for.
func (r response) good() bool {
	return r.lost == nil && (r.Code == http.StatusOK || r.Code == http.StatusAccepted)
}

// uncertain reports whether only looking can tell what became of the request.
func (r response) uncertain() bool {
	return r.lost != nil || r.Code >= http.StatusInternalServerError
}

// err says what Patroni said, for the end of a wait in vain.
func (r response) err() error {
	if r.lost != nil {
		return r.lost
	}
	return &r.StatusError
}

// command sends an unsafe request and waits for the answer as long as ctx lets it. The error is of a request that was
// not sent; whatever happens later is told by the response.
func (c *Client) command(ctx context.Context, m Member, method, path string, body any) (response, error) {
	r := response{StatusError: StatusError{Member: m.Name, Method: method, Path: path}}
	code, answer, err := c.request(ctx, m, method, path, body)
	var unsent *unsentError
	switch {
	case err == nil:
		r.Code, r.Body = code, excerpt(answer)
	case c.err != nil, m.Target == nil, m.Target.Planning(), errors.As(err, &unsent):
		return r, err
	default:
		r.lost = err
	}
	return r, nil
}

// quick is command for what Patroni answers at once. A member that does not is taken for one whose answer was lost.
func (c *Client) quick(ctx context.Context, m Member, method, path string, body any) (response, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	return c.command(ctx, m, method, path, body)
}

// answered is an unsafe request that is under way while the caller looks at what it brings about.
type answered struct {
	response response
	err      error
}

// background is command, for requests that Patroni answers only when all is over.
func (c *Client) background(ctx context.Context, m Member, method, path string, body any) <-chan answered {
	done := make(chan answered, 1)
	go func() {
		r, err := c.command(ctx, m, method, path, body)
		done <- answered{r, err}
	}()
	return done
}

// retract runs f within cleanupTimeout although ctx may be over.
func retract(ctx context.Context, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
	defer cancel()
	return f(ctx)
}

// changed reports a change that this run made, or would have made.
func (c *Client) changed(m Member, change remote.Change) {
	if m.Target == nil {
		return
	}
	change.Host, change.Planned = m.Target.Name, c.options.planning()
	report(m.Target, change)
}

// unknownMember says that the cluster has no such member, and which one was probably meant.
func unknownMember(state ClusterState, name string, reason error) error {
	err := fmt.Errorf("%w: the cluster has no member %q", reason, name)
	if near := suggest.Nearest(name, state.names()); near != "" {
		return remote.WithHint(err, "did you mean "+near+"?")
	}
	return remote.WithHint(err, "the members are "+strings.Join(state.names(), ", "))
}
