package ssh

import (
	"github.com/pgha/toolkit/pgha/errs"
)

// Reasons why Dial makes no connection, found with errors.Is. A host that cannot be reached at all
// is remote.ErrUnreachable.
var (
	// ErrAuth: the host answered but accepted none of the offered credentials.
	ErrAuth = errs.New(errs.Unavailable, "authentication refused")
	// ErrHostKeyUnknown: nothing says which key the host should have. Pin it in the spec or connect
	// once with ssh.
	ErrHostKeyUnknown = errs.New(errs.Unavailable, "host key unknown")
	// ErrHostKeyChanged: the host shows another key than the one on record. Always fatal.
	ErrHostKeyChanged = errs.New(errs.Unavailable, "host key changed")
)
