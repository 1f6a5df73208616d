package spec

import (
	"errors"
	"net"
	"net/netip"
	"strings"

	"github.com/pgha/toolkit/internal/scalar"
)

// JumpHost is a host to connect through.
type JumpHost struct {
	// User to log in as; "" where none is named, which means the user of the host behind it.
	User string
	// Address is a name or an IP address, without brackets.
	Address string
	// Port of sshd; 22 where none is named.
	Port int
}

// ParseJump reads "user@host:port" as Jump has it; user and port may be left out, and an IPv6
// address with a port stands in brackets: "admin@[2001:db8::1]:22". The error says what to write
// instead.
func ParseJump(text string) (JumpHost, error) {
	j := JumpHost{Port: 22}
	rest := text
	if at := strings.LastIndexByte(text, '@'); at >= 0 {
		j.User, rest = text[:at], text[at+1:]
		if !userSyntax.MatchString(j.User) {
			return j, errors.New("write " + jumpForm)
		}
	}
	j.Address = rest
	if inner, ok := strings.CutPrefix(rest, "["); ok && strings.HasSuffix(inner, "]") {
		j.Address = strings.TrimSuffix(inner, "]")
	} else if host, port, err := net.SplitHostPort(rest); err == nil {
		n, fault := scalar.Whole(port)
		if fault != nil || n < 1 || n > 65535 {
			return j, errors.New("write a port from 1 to 65535, as in " + jumpForm)
		}
		j.Address, j.Port = host, int(n)
	}
	if _, err := netip.ParseAddr(j.Address); err != nil && !isHostName(j.Address) {
		return j, errors.New("write " + jumpForm)
	}
	return j, nil
}

const jumpForm = "user@host:port, such as admin@bastion.example.com:22"
