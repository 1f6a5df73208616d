package rest

import (
	"context"
	"errors"
	"net/http"
)

// Response is what a member's Patroni said to an unsafe request.
type Response struct {
	StatusError
	// Lost is why there is no answer although the request was sent: it may have been carried out.
	Lost error
}

// Good reports whether Patroni said that it did, or will do, what it was asked for.
func (r Response) Good() bool {
	return r.Lost == nil && (r.Code == http.StatusOK || r.Code == http.StatusAccepted)
}

// Uncertain reports whether only looking can tell what became of the request.
func (r Response) Uncertain() bool {
	return r.Lost != nil || r.Code >= http.StatusInternalServerError
}

// Err returns Patroni's answer as an error, to report if the wait for its effect times out.
func (r Response) Err() error {
	if r.Lost != nil {
		return r.Lost
	}
	return &r.StatusError
}

// Command sends an unsafe request and waits for the answer as long as ctx lets it. The error is of
// a request that was not sent; what happens later is reported by the response.
func (c *Client) Command(ctx context.Context, member, method, path string,
	body any) (Response, error) {
	r := Response{StatusError: StatusError{Member: member, Method: method, Path: path}}
	m, err := c.member(member)
	if err != nil {
		return r, err
	}
	code, answer, err := c.request(ctx, m, method, path, body)
	var unsent *unsentError
	switch {
	case err == nil:
		r.Code, r.Body = code, excerpt(answer)
	case c.err != nil, m.Target == nil, m.Target.Planning(), errors.As(err, &unsent):
		return r, err
	default:
		r.Lost = err
	}
	return r, nil
}

// Quick is Command for what Patroni answers at once. A member that does not is taken for one whose
// answer was lost.
func (c *Client) Quick(ctx context.Context, member, method, path string,
	body any) (Response, error) {
	ctx, cancel := context.WithTimeout(ctx, RequestTimeout)
	defer cancel()
	return c.Command(ctx, member, method, path, body)
}

// Answered is an unsafe request that is under way while the caller looks at what it brings about.
type Answered struct {
	Response Response
	Err      error
}

// Background is Command, for requests that Patroni answers only when all is over.
func (c *Client) Background(ctx context.Context, member, method, path string,
	body any) <-chan Answered {
	done := make(chan Answered, 1)
	go func() {
		r, err := c.Command(ctx, member, method, path, body)
		done <- Answered{r, err}
	}()
	return done
}
