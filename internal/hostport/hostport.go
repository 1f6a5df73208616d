// Package hostport writes an address with a port that is a number.
package hostport

import (
	"net"
	"strconv"
)

// Join returns "address:port", with brackets around an IPv6 address.
func Join(address string, port int) string { return net.JoinHostPort(address, strconv.Itoa(port)) }
