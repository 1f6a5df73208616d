package status

import (
	"context"
	"errors"
	"fmt"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/etcd"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/procedure"
)

// Change returns the change of many steps that was begun and is not finished, from whatever
// machine; nil if there is none. The error matches etcd.ErrUnhealthy where etcd does not answer,
// and procedure.ErrDamaged where it has something else in the record's place.
func Change(ctx context.Context, c *site.Site) (*procedure.Record, error) {
	o, err := c.EtcdAnywhere()
	if err != nil {
		return nil, err
	}
	keys, err := etcd.Keys(ctx, o, c.ChangeKey())
	text, found := keys[""]
	if err != nil || !found {
		return nil, err
	}
	r, err := procedure.Parse(text)
	if err != nil {
		return nil, err
	}
	return &r, nil
}

// HalfDone is the refusal of whatever must not begin before a change is finished.
func HalfDone(r procedure.Record) error {
	return errs.WithNext(fmt.Errorf("%w: a change is half done: %s", errs.ErrRefused, r),
		errs.Text("%s finishes it, %s takes it back; %s shows its steps",
			errs.Verb("change", "continue"), errs.Verb("change", "undo"), errs.Verb("change", "show")))
}

// Alone refuses to begin a change while another one is half done, and to go on with one that
// somebody has finished, replaced or turned round since it was looked at without the lock. What
// goes on does so where the record is now.
func Alone(ctx context.Context, c *site.Site, fresh bool, r *procedure.Record) error {
	now, err := Change(ctx, c)
	switch {
	case err != nil:
		return err
	case fresh && now != nil:
		return HalfDone(*now)
	case !fresh && now == nil:
		return fmt.Errorf("%w: it has been finished meanwhile", errs.ErrRefused)
	case now == nil:
		return nil
	}
	return r.GoOn(*now)
}

// changeStatus looks for a change that is half done.
func changeStatus(ctx context.Context, c *site.Site, s *Status) error {
	var err error
	if s.Change, err = Change(ctx, c); errors.Is(err, procedure.ErrDamaged) {
		return err
	}
	return nil // without a quorum the etcd part says so
}

// changeProblems reports a change that nobody works on.
func changeProblems(s Status) []string {
	if s.Change == nil || s.Operation != nil {
		return nil
	}
	return []string{"a change is half done: " + s.Change.String() +
		"; the verb change continue finishes it, change undo takes it back"}
}
