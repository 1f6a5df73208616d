package hba

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Fault says why PostgreSQL of a major version would refuse a rule, and with it the whole file, and
// what to write instead; "" when it would not, as far as can be told without the host: names and
// files that the rule holds are not looked up. Methods that are unwise are no fault. Pure
// computation.
func Fault(rule string, version int) (problem, remedy string) {
	words, ok := Fields(rule)
	if !ok {
		return "is not one rule", "write: hostssl <database> <user> <network> scram-sha-256"
	}
	kinds := []string{"local", "host", "hostssl", "hostnossl", "hostgssenc", "hostnogssenc"}
	if !slices.Contains(kinds, words[0]) {
		return fmt.Sprintf("%q is not a kind of rule", words[0]),
			"write one of " + strings.Join(kinds, ", ")
	}
	method := 3
	if words[0] != "local" {
		if len(words) < 5 {
			return "has too few words for a rule",
				"write: " + words[0] + " <database> <user> <network> <method>"
		}
		var masked bool
		if masked, problem, remedy = address(words[3], words[4]); problem != "" {
			return problem, remedy
		}
		if method = 4; masked {
			method = 5
		}
	}
	if len(words) <= method {
		return "has too few words for a rule", "write the way to log in at its end, such as " +
			"scram-sha-256"
	}
	return login(words[0], words[method], words[method+1:], version)
}

// address judges the fourth word of a rule, and whether the fifth is its mask.
func address(text, next string) (masked bool, problem, remedy string) {
	if slices.Contains([]string{"all", "samehost", "samenet"}, text) {
		return false, "", ""
	}
	bare, bits, hasBits := strings.Cut(text, "/")
	ip, err := netip.ParseAddr(bare)
	switch {
	case err != nil && hasBits:
		return false, fmt.Sprintf("%q is a name with a network's prefix", text),
			"write an address with its prefix, such as 10.0.0.0/8, or a name alone"
	case err != nil && looksNumeric(bare):
		return false, fmt.Sprintf("%q is not an address", text),
			"write an address with its prefix, such as 10.0.0.0/8"
	case err != nil:
		return false, "", "" // a name
	case hasBits:
		if n, err := strconv.Atoi(bits); err != nil || n < 0 || n > ip.BitLen() {
			return false, fmt.Sprintf("%q: a prefix of %s has 0 to %d bits", text, family(ip),
					ip.BitLen()),
				fmt.Sprintf("write %s/%d for this address alone", bare, ip.BitLen())
		}
		return false, "", ""
	}
	mask, err := netip.ParseAddr(next)
	switch {
	case err != nil:
		return false, fmt.Sprintf("%q has no mask", text),
			fmt.Sprintf("write %s/%d for this address alone", bare, ip.BitLen())
	case mask.Is4() != ip.Is4():
		return false, fmt.Sprintf("the mask %s is not of the family of %s", next, text),
			fmt.Sprintf("write %s/%d for this address alone", bare, ip.BitLen())
	case !contiguous(mask):
		return false, fmt.Sprintf("%s is not a mask: its bits have gaps", next),
			"write the network with its prefix, such as 10.0.0.0/8"
	}
	return true, "", ""
}

// looksNumeric reports what is meant for an address: no name ends in a number.
func looksNumeric(text string) bool {
	last := text[strings.LastIndexByte(text, '.')+1:]
	_, err := strconv.Atoi(last)
	return err == nil || strings.Contains(text, ":")
}

func family(ip netip.Addr) string {
	if ip.Is4() {
		return "IPv4"
	}
	return "IPv6"
}

func contiguous(mask netip.Addr) bool {
	text := ""
	for _, b := range mask.AsSlice() {
		text += fmt.Sprintf("%08b", b)
	}
	return !strings.Contains(text, "01")
}
