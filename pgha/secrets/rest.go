package secrets

import (
	"context"

	"github.com/pgha/toolkit/pgha/certificates"
	"github.com/pgha/toolkit/pgha/engine"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/status"
)

// secretREST names, beside the roles, what Patroni's REST API lets callers in by: its authority,
// and every certificate from it.
const secretREST = "rest"

// rotateREST replaces the authority of the REST API, or finishes what was begun of that.
func rotateREST(ctx context.Context, c *site.Site, op engine.Operation) error {
	own := certificates.Of(c)
	half, err := status.Change(ctx, c)
	if err == nil && half != nil && certificates.Is(*half) && half.Subject == secretREST {
		_, err = own.Continue(ctx, *half, op)
		return err
	}
	if err == nil {
		_, err = own.RotateCA(ctx, certificates.RotateOptions{Operation: op,
			Authorities: []string{secretREST}})
	}
	return err
}
