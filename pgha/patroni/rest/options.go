package rest

import (
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/pki"
	"github.com/pgha/toolkit/pgha/remote"
)

// Reasons a caller may want to decide on, found with errors.Is.
var (
	// ErrUnavailable: no member's REST API answered.
	ErrUnavailable = errs.New(errs.Unavailable, "no member of the cluster answers")
	// ErrInvalid: the options contradict themselves or what Patroni can do.
	ErrInvalid = errs.New(errs.Refused, "invalid options")
)

// Member is a Patroni whose REST API is called.
type Member struct {
	// Target is the host the member lives on; connections are opened from there.
	Target *remote.Target
	// Name is the member's name in the DCS.
	Name string
	// Address is the IP address that the API's certificate covers.
	Address string
}

// Options say where the members are and what proves who is who. Only Port has a default.
type Options struct {
	Members []Member
	// CA is the PEM certificate of the authority that signed the API's certificates, or several.
	CA []byte
	// Operator is the client certificate for what changes the cluster.
	Operator pki.KeyPair
	// Port is the API's on every member. 0 means 8008.
	Port int
}
