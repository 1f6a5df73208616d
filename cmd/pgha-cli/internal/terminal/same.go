package terminal

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

// addressed is an address, with or without a port, as errors of connections have it.
var addressed = regexp.MustCompile(
	`\[[0-9a-f:.]+\](:\d+)?|\b\d+\.\d+\.\d+\.\d+(:\d+)?|\b[0-9a-f]*:[0-9a-f:]*:[0-9a-f:.]*`)

// SameOnce says an error that several hosts have once, under the first host's, with the names of
// the others: entries "  - HOST: TEXT" that differ in nothing but the host and its address.
func SameOnce(text string) string {
	head, list, _ := strings.Cut(text, entry)
	var order []string
	hosts, first := map[string][]string{}, map[string]string{}
	for e := range strings.SplitSeq(list, entry) {
		host, rest, ofHost := strings.Cut(e, ": ")
		key := addressed.ReplaceAllString(rest, "")
		if !ofHost || strings.Contains(host, " ") {
			key = e
		}
		if _, seen := first[key]; !seen {
			order, first[key] = append(order, key), e
		}
		hosts[key] = append(hosts[key], host)
	}
	if len(order) == len(slices.Concat(slices.Collect(maps.Values(hosts))...)) {
		return text
	}
	for _, key := range order {
		head += entry + first[key]
		if others := hosts[key][1:]; len(others) > 0 {
			head += "\n    the same on " + strings.Join(others, ", ")
		}
	}
	return head
}

// entry begins each of several errors.
const entry = "\n  - "
