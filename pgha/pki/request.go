package pki

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// maxCommonName is ub-common-name of RFC 5280 appendix A.1, in characters.
const maxCommonName = 64

// Request says what a leaf certificate is for. It is plain data: the same
// request given to [CA.Covers] later tells whether the certificate still fits.
type Request struct {
	// CommonName is required, at most 64 characters. It is an identity, not an
	// address: etcd and PostgreSQL read a client's user name from it. It is not
	// added to the DNS names.
	CommonName string

	// Organization is optional, at most 64 characters.
	Organization string

	// DNSNames and IPs are every name and address under which a client may dial
	// the server, a virtual address included. Order and repetition do not
	// matter and names are not case sensitive. At least one of either is
	// required unless Usage is [ClientUsage]. Wildcards are refused, and so are
	// unspecified, multicast and zoned addresses.
	DNSNames []string
	IPs      []netip.Addr

	// Usage is required.
	Usage Usage

	// Lifetime counts from the moment of issue; 0 means [DefaultLeafLifetime].
	// The range is one second to a hundred years, and the issuer's own end is
	// always the limit. Less than half of [Backdate] is for tests of what happens
	// when a certificate ends: [Covers] calls such a one due from the start.
	Lifetime time.Duration
}

// normalized returns a copy with defaults filled in and names lower-cased,
// sorted and unique, or an error that matches [ErrInvalidRequest].
func (r Request) normalized() (Request, error) {
	var err error
	if err = checkName("common name", r.CommonName); err != nil {
		return Request{}, err
	}
	if r.Organization != "" {
		if err = checkName("organization", r.Organization); err != nil {
			return Request{}, err
		}
	}
	if !r.Usage.valid() {
		return Request{}, fmt.Errorf("%w: usage must be server, client or peer", ErrInvalidRequest)
	}
	if r.Lifetime, err = checkLifetime(r.Lifetime, DefaultLeafLifetime,
		minLeafLifetime); err != nil {
		return Request{}, err
	}
	if r.DNSNames, err = normalizeDNSNames(r.DNSNames); err != nil {
		return Request{}, err
	}
	if r.IPs, err = normalizeIPs(r.IPs); err != nil {
		return Request{}, err
	}
	if r.Usage&ServerUsage != 0 && len(r.DNSNames)+len(r.IPs) == 0 {
		return Request{},
			fmt.Errorf("%w: a %s certificate needs a DNS name or an IP address", ErrInvalidRequest,
				r.Usage)
	}
	return r, nil
}

// checkName accepts what a subject attribute can carry and a log can show.
func checkName(what, name string) error {
	switch {
	case strings.TrimSpace(name) == "":
		return fmt.Errorf("%w: %s is empty", ErrInvalidRequest, what)
	case !utf8.ValidString(name) || strings.ContainsFunc(name, unprintable):
		return fmt.Errorf("%w: %s %q has unprintable characters", ErrInvalidRequest, what, name)
	case utf8.RuneCountInString(name) > maxCommonName:
		return fmt.Errorf("%w: %s %q is longer than %d characters", ErrInvalidRequest, what, name,
			maxCommonName)
	}
	return nil
}

func unprintable(r rune) bool { return !unicode.IsPrint(r) }

func normalizeDNSNames(names []string) ([]string, error) {
	var out []string
	for _, name := range names {
		lower := strings.ToLower(name)
		if reason := dnsNameFault(lower); reason != "" {
			return nil, fmt.Errorf("%w: DNS name %q %s", ErrInvalidRequest, name, reason)
		}
		out = append(out, lower)
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// dnsNameFault returns why name is no host name (RFC 1123 section 2.1), or "".
func dnsNameFault(name string) string {
	if strings.Contains(name, "*") {
		return "is a wildcard: name each host"
	}
	if _, err := netip.ParseAddr(name); err == nil {
		return "is an IP address: put it among the IPs"
	}
	if len(name) > 253 {
		return "is longer than 253 characters"
	}
	labels := strings.Split(name, ".")
	for _, label := range labels {
		if fault := labelFault(label); fault != "" {
			return fault
		}
	}
	if strings.Trim(labels[len(labels)-1], "0123456789") == "" {
		return "ends in a number, so resolvers take it for an address"
	}
	return ""
}

func labelFault(label string) string {
	switch {
	case label == "":
		return "has an empty label"
	case len(label) > 63:
		return "has a label longer than 63 characters"
	case label[0] == '-' || label[len(label)-1] == '-':
		return "has a label that begins or ends with a hyphen"
	case strings.ContainsFunc(label, notInLabel):
		return "has characters other than letters, digits and hyphens"
	}
	return ""
}

func notInLabel(r rune) bool {
	return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-'
}

func normalizeIPs(ips []netip.Addr) ([]netip.Addr, error) {
	var out []netip.Addr
	for _, ip := range ips {
		ip = ip.Unmap()
		if !ip.IsValid() || ip.Zone() != "" || ip.IsUnspecified() || ip.IsMulticast() {
			return nil, fmt.Errorf("%w: IP address %q cannot name one host", ErrInvalidRequest, ip)
		}
		out = append(out, ip)
	}
	slices.SortFunc(out, netip.Addr.Compare)
	return slices.Compact(out), nil
}
