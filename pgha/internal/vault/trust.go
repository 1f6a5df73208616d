package vault

import (
	"bytes"
	"encoding/pem"
	"slices"

	"github.com/pgha/toolkit/pgha/pki"
)

// Trust is what is trusted of one authority, or of two while one is replaced, in PEM.
type Trust struct {
	// Servers is for those that verify who dials them: the authorities that issue, and none above
	// them, which would open the door to every certificate of a company.
	Servers []byte
	// Clients is for those that verify whom they dial: the whole chains. A root has to be among
	// them for OpenSSL 3 as libpq 15, HAProxy 3.2, pgBackRest 2.60 and Python before 3.13 use it.
	Clients []byte
}

// trustIn is the trust in the authority of one file: a self-signed one, or one with its chain.
func trustIn(file []byte) Trust {
	block, _ := pem.Decode(file)
	if block == nil {
		return Trust{}
	}
	return Trust{Servers: pem.EncodeToMemory(block), Clients: file}
}

// and adds that of another, in an order that does not depend on which of the two issues: etcd
// restarts for another file.
func (t Trust) and(other Trust) (both Trust, err error) {
	list := []Trust{t, other}
	slices.SortFunc(list, func(a, b Trust) int { return bytes.Compare(a.Servers, b.Servers) })
	if both.Servers, err = pki.Bundle(list[0].Servers, list[1].Servers); err != nil {
		return Trust{}, err
	}
	both.Clients, err = pki.Bundle(list[0].Clients, list[1].Clients)
	return both, err
}
