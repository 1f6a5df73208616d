package spec

import (
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

var (
	labelSyntax   = regexp.MustCompile(`^[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?$`)
	foreignSyntax = regexp.MustCompile(`[^A-Za-z0-9.-]+`)
)

const nameRule = "write letters and digits, and hyphens and dots between them, such as postgres-01"

// isHostName tells whether a name is one by RFC 1123, and not a number or IP address.
func isHostName(name string) bool {
	problem, _ := nameFault(name, 253)
	return problem == ""
}

// name reports a name that is none of DNS's, which those of hosts and members are in certificates.
func (c *checker) name(field, name, whose string, most int) {
	problem, remedy := nameFault(name, most)
	if slices.ContainsFunc(c.Hosts, func(h Host) bool {
		return remedy == "write "+h.Name || remedy == "write "+h.Member
	}) {
		remedy = nameRule
	}
	if problem != "" {
		c.bad(field, quoted(name)+" cannot name "+whose+": it "+problem, remedy)
	}
}

// nameFault says what is wrong with a name, or "".
func nameFault(name string, most int) (problem, remedy string) {
	if len(name) > most {
		return fmt.Sprintf("has more than %d characters", most),
			fmt.Sprintf("write at most %d", most)
	}
	labels := strings.Split(name, ".")
	last := labels[len(labels)-1]
	switch {
	case name == "":
		return "is empty", nameRule
	case strings.EqualFold(name, "localhost"):
		return "means every host itself", "write another name, such as postgres-01"
	case foreignSyntax.MatchString(name):
		problem, remedy = fmt.Sprintf("holds %q", foreignSyntax.FindString(name)), nameRule
	case strings.Trim(last, "0123456789") == "":
		problem, remedy = "ends in a number, as IP addresses do",
			"write a name whose last part has a letter, such as postgres-01"
	default:
		for _, label := range labels {
			switch {
			case len(label) > 63:
				return "has a part of more than 63 characters",
					"write parts of at most 63 characters between the dots"
			case !labelSyntax.MatchString(label):
				problem, remedy = "has a part that is empty, or begins or ends with a hyphen",
					nameRule
			}
		}
		if problem == "" {
			return "", ""
		}
	}
	if near := nearName(name); near != "" && len(near) <= most {
		remedy = "write " + near
	}
	return problem, remedy
}

// nearName is the nearest name that can be one, or "".
func nearName(name string) string {
	name = foreignSyntax.ReplaceAllString(name, "-")
	var labels []string
	for label := range strings.SplitSeq(name, ".") {
		if label = strings.Trim(label, "-"); label != "" {
			labels = append(labels, label)
		}
	}
	for len(labels) > 1 && strings.Trim(labels[len(labels)-1], "0123456789") == "" {
		last := len(labels) - 1
		labels = append(labels[:last-1], labels[last-1]+"-"+labels[last])
	}
	near := strings.Join(labels, ".")
	if strings.Trim(near, "0123456789.-") == "" || !isHostName(near) {
		return ""
	}
	return near
}

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
		} else if strings.ContainsFunc(text, unicode.IsLetter) &&
			strings.HasPrefix(field, "hosts") {
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
	c.bad(field, quoted(text)+" "+what,
		"write the address by which the other hosts reach it, "+which)
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
