package status

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/pgha/toolkit/internal/poll"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/internal/site"
)

// AwaitHealthy polls until Status.Healthy holds, and returns that status. Only ctx bounds the wait:
// after its deadline the error matches errs.ErrTimeout and says what was not healthy at the last
// look. Changes nothing.
func AwaitHealthy(ctx context.Context, c *site.Site) (Status, error) {
	var last Status
	err := poll.Until(ctx, poll.Options{
		What: "a healthy cluster", Every: 200 * time.Millisecond,
		Next: errs.Text("%s shows it, %s tells which layer is at fault", errs.Verb("status"),
			errs.Verb("verify")),
	}, func(ctx context.Context) (string, error) {
		status, err := Look(ctx, c)
		if err != nil {
			return "", err
		}
		last = status
		return strings.Join(status.Problems(), "; "), nil
	})
	return last, err
}

// settleWithin is how long a cluster may need after an operation until everybody has noticed: a
// balancer sends reads to a member after two good checks. Patroni's own loop comes on top, at the
// end of which it notes synchronous replicas.
const settleWithin = 10 * time.Second

// Settled is the status of a cluster in which what has just been done may still go on: it looks
// again while there is a problem, for at most ten seconds and a round of Patroni's loop, and
// returns the last status whatever it is.
func Settled(ctx context.Context, c *site.Site) (Status, error) {
	bounded, cancel := context.WithTimeout(ctx, settleWithin+c.Spec.Patroni.LoopWait)
	defer cancel()
	last, err := AwaitHealthy(bounded, c)
	if ctx.Err() == nil && errors.Is(err, errs.ErrTimeout) && last.Cluster != "" {
		return last, nil
	}
	return last, err
}
