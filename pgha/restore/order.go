package restore

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/spec"
	"github.com/pgha/toolkit/pgha/status"
)

// order is all that a later run needs to go on.
type order struct {
	To target `json:"to"`
	// Set is the label of the backup to begin with, Size that of the databases in bytes.
	Set  string `json:"set"`
	Size int64  `json:"size"`
	// Timeline that the cluster was on.
	Timeline int `json:"timeline"`
	// Own is the timeline that the backup was made on; 0 where that is not known.
	Own int `json:"own,omitempty"`
	// Host gets the restored data first, and leads. Before is the member that led before; "" where
	// nobody did.
	Host   string `json:"host"`
	Before string `json:"before,omitempty"`
	// Mark ends the names of the directories that are kept.
	Mark string `json:"mark"`
	// Led: the restored databases have led already, and archived on a timeline of their own.
	Led bool `json:"led,omitempty"`
}

func (o order) text() json.RawMessage {
	text, err := json.Marshal(o)
	if err != nil {
		panic(err) // it has no type that cannot be written
	}
	return text
}

var markSyntax = regexp.MustCompile(`^\d{8}-\d{6}$`)

// readOrder reads what text has written for a verb, and refuses what nothing can be gone on with:
// by it directories are put aside, exchanged and deleted.
func readOrder(text json.RawMessage, of string, sp *spec.Spec) (order, error) {
	var o order
	if err := json.Unmarshal(text, &o); err != nil {
		return o, fmt.Errorf("read the record of %s: %w", of, err)
	}
	kinds := []string{kindTime, kindLSN, kindName, kindBackup, kindLatest}
	switch {
	case !markSyntax.MatchString(o.Mark) || !labelSyntax.MatchString(o.Set) ||
		!slices.Contains(kinds, o.To.Kind):
		return o, fmt.Errorf("%w: the record of %s is damaged, or of another version of pgha: %s",
			errs.ErrRefused, of, text)
	case !slices.ContainsFunc(sp.Databases(), func(h spec.Host) bool { return h.Name == o.Host }):
		return o, errs.WithNext(fmt.Errorf("%w: %s went by the host %s, which is no database host of "+
			"the specification any more", errs.ErrRefused, of, o.Host),
			errs.Text("write it into the specification again until this is done"))
	}
	return o, nil
}

// ErrNothingKept: no restore waits to be confirmed or taken back.
var ErrNothingKept = errs.New(errs.NotFound, "no restore waits to be confirmed")

// unconfirmed refuses to go on before the last restore is confirmed or taken back.
func unconfirmed(ctx context.Context, c *site.Site) error {
	k, err := status.Kept(ctx, c)
	if err != nil || k == nil {
		return err
	}
	return errs.WithNext(fmt.Errorf("%w: the cluster was %s", errs.ErrRefused, k),
		errs.Text("%s deletes that, %s brings it back", errs.Verb("restore", "confirm"),
			errs.Verb("restore", "undo")))
}
