package restore

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/internal/site"
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
