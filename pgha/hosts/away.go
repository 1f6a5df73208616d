package hosts

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/procedure"
	"github.com/pgha/toolkit/pgha/provision"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

// away finds the hosts that are left as they are, and refuses those that the change is about, and
// so many that the others are no cluster before it or after it.
func (o order) away(specs specifications, names []string) ([]spec.Host, error) {
	var away []spec.Host
	for _, name := range names {
		h, err := specs.all.Host(name)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errs.ErrRefused, err)
		}
		if site.Among(slices.Concat(o.Add, o.Remove, o.Renew), h.Name) {
			return nil, errs.WithNext(fmt.Errorf("%w: %s comes or goes: it cannot be left out",
				errs.ErrRefused, h.Name), errs.Text("a host that goes may be dead; one that comes has "+
				"to answer, or the change is taken back: %s", errs.Verb("change", "undo")))
		}
		away = append(away, h)
	}
	for _, sp := range []*spec.Spec{specs.from, specs.to} {
		if err := provision.JudgeWithout(sp, away); err != nil && len(away) > 0 {
			return nil, err
		}
	}
	return away, nil
}

// sparing is the work on hosts as a specification has them, but for those that are left as they
// are.
func (w *work) sparing(sp *spec.Spec) *job.Job {
	on := w.on(sp)
	if len(w.away) > 0 {
		on.Site = on.LeavingOut(w.away)
	}
	return on
}

// orWithout says of a step that failed how to do what is left of it without hosts that stay and do
// not answer, where the others are a cluster.
func (w *work) orWithout(err error) error {
	stay := site.Without(w.unreached(), slices.Concat(w.order.Add, w.Remove, w.Renew))
	if !errors.Is(err, remote.ErrUnreachable) || len(site.Without(stay, w.away)) == 0 {
		return err
	}
	if provision.JudgeWithout(w.from, stay) != nil || provision.JudgeWithout(w.to, stay) != nil {
		return err
	}
	var args []string
	for _, h := range stay {
		args = append(args, "--without", h.Name)
	}
	return errs.WithNext(err, errs.Text("%s, or %s, works on the others; the next %s brings %s in",
		errs.Verb("change", append([]string{"continue"}, args...)...),
		errs.Verb("change", append([]string{"undo"}, args...)...), errs.Verb("apply"), names(stay)))
}

// ignores refuses (errs.ErrRefused) options that count for changes of hosts alone, where another
// change is half done.
func ignores(r procedure.Record, opts Options) error {
	if len(opts.Without) == 0 || strings.HasPrefix(r.Verb, "host ") {
		return nil
	}
	return errs.WithNext(fmt.Errorf("%w: no step of %s leaves a host out", errs.ErrRefused, r.Verb),
		errs.Text("bring %s back first", strings.Join(opts.Without, ", ")))
}
