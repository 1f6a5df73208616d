package patroni

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pgha/toolkit/internal/suggest"
	"github.com/pgha/toolkit/pgha/patroni/rest"
	"github.com/pgha/toolkit/pgha/remote"
)

// operator carries operations out: a client of the REST API, with all that the options say.
type operator struct {
	*rest.Client
	options Options
}

func newOperator(o Options) *operator {
	o = o.WithDefaults()
	return &operator{NewClient(o), o}
}

// there are the members that are not left out; all of them if that is everyone.
func there(o Options) []Member {
	list := slices.DeleteFunc(slices.Clone(o.Members), func(m Member) bool {
		return m.Target != nil && m.Target.LeftOut
	})
	if len(list) == 0 {
		return o.Members
	}
	return list
}

// member finds a member of the options by name.
func (c *operator) member(name string) (Member, error) {
	for _, m := range c.options.Members {
		if m.Name == name {
			return m, nil
		}
	}
	return Member{}, fmt.Errorf("%w: no member is called %q", ErrInvalid, name)
}

// changed reports a change that this run made, or would have made.
func (c *operator) changed(m Member, change remote.Change) {
	if m.Target == nil {
		return
	}
	change.Host, change.Planned = m.Target.Name, c.options.Planning()
	report(m.Target, change)
}

// cleanupTimeout bounds what is taken back after the caller gave up.
const cleanupTimeout = 10 * time.Second

// retract runs f within cleanupTimeout although ctx may be over.
func retract(ctx context.Context, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
	defer cancel()
	return f(ctx)
}

// unknownMember says that the cluster has no such member, and which one was probably meant.
func unknownMember(state ClusterState, name string, reason error) error {
	err := fmt.Errorf("%w: the cluster has no member %q", reason, name)
	if near := suggest.Nearest(name, state.Names()); near != "" {
		return remote.WithHint(err, "did you mean "+near+"?")
	}
	return remote.WithHint(err, "the members are "+strings.Join(state.Names(), ", "))
}
