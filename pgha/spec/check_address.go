package spec

import (
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

// address checks an address that others must be able to connect to.
func (c *checker) address(field, text, which string) (netip.Addr, bool) {
	if text == "" {
		c.bad(field, "is missing", "write an IP address "+which)
		return netip.Addr{}, false
	}
	a, err := netip.ParseAddr(text)
	what := ""
	switch {
	case err != nil:
		remedy := "write an IPv4 or IPv6 address " + which
		if p, err := netip.ParsePrefix(text); err == nil {
			remedy = "write " + p.Addr().String() + " without the prefix length"
		} else if near := nearAddress(text); near != "" {
			remedy = "write " + near
		} else if strings.ContainsFunc(text, unicode.IsLetter) && strings.HasPrefix(field, "hosts") {
			remedy += ", or a name that has one, such as postgres-01.example.com"
		}
		c.bad(field, quoted(text)+" is not an IP address", remedy)
		return a, false
	case a.Is4In6():
		c.bad(field, quoted(text)+" is an IPv4 address in IPv6 dress", "write "+a.Unmap().String())
		return a, false
	case a.IsUnspecified(), a.Is4() && a.As4()[0] == 0:
		what = "stands for no address at all"
	case a.IsLoopback():
		what = "is a loopback address: every host's own"
	case a.IsMulticast():
		what = "is a multicast address"
	case a == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		what = "is the broadcast address"
	case a.Is4() && a.As4()[0] >= 240:
		what = "is reserved: no host can have it"
	case a.IsLinkLocalUnicast() || a.Zone() != "":
		what = "is a link-local address, good on one interface only"
	default:
		return a, true
	}
	c.bad(field, quoted(text)+" "+what, "write the address by which the other hosts reach it, "+which)
	return a, false
}

// zerosInAddress are the zeros before the numbers of an IPv4 address, which some programs take for
// octal.
var zerosInAddress = regexp.MustCompile(`\b0+([0-9])`)

// nearAddress is the address that a text most likely means, or "".
func nearAddress(text string) string {
	host := strings.TrimSuffix(strings.TrimPrefix(text, "["), "]")
	if h, _, err := net.SplitHostPort(text); err == nil {
		host = h
	}
	if !strings.Contains(host, ":") {
		host = zerosInAddress.ReplaceAllString(host, "$1")
	}
	if a, err := netip.ParseAddr(host); err == nil {
		return a.String()
	}
	return ""
}

// networkFault says what is wrong with a network of clients, or "".
func networkFault(text string) (problem, remedy string) {
	p, err := netip.ParsePrefix(text)
	switch {
	case err == nil && p.Addr().Is4In6():
		return "is an IPv4 network in IPv6 dress", "write address/bits, such as 10.0.0.0/8"
	case err == nil && p != p.Masked():
		return "has bits set behind its prefix", "write " + p.Masked().String()
	case err == nil:
		return "", ""
	}
	const not = "is not a network"
	address, bits, _ := strings.Cut(text, "/")
	a, err := netip.ParseAddr(address)
	if err != nil {
		if strings.EqualFold(text, "all") {
			return not, "write 0.0.0.0/0"
		}
		return not, "write address/bits, such as 10.0.0.0/8"
	}
	n, err := strconv.Atoi(bits)
	if mask, err := netip.ParseAddr(bits); err == nil && mask.Is4() && a.Is4() {
		if n, size := net.IPMask(mask.AsSlice()).Size(); size == 32 {
			p, _ = a.Prefix(n)
			return not, "write " + p.String()
		}
	}
	if err != nil || bits == "" {
		n = a.BitLen()
	}
	if p, err = a.Prefix(n); err != nil {
		return not, "write address/bits, such as 10.0.0.0/8"
	}
	return not, "write " + p.String()
}
