package main

import (
	"errors"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/pgha/toolkit/cmd/pgha-cli/internal/terminal"
	"github.com/pgha/toolkit/pgha/errs"
)

// fail prints an error and what to do about it.
func fail(out *terminal.Terminal, err error) {
	out.Notef("%s %s\n", out.Paint(terminal.Red, "error:"), sameOnce(textOf(err)))
	if hint := hintOf(err); hint != "" {
		out.Notef("%s %s\n", out.Paint(terminal.Yellow, "hint:"), hint)
	} else if errors.As(err, new(usageError)) {
		out.Notef("%s %s\n", out.Paint(terminal.Yellow, "hint:"),
			"pgha-cli --help lists the commands, pgha-cli COMMAND --help explains one")
	}
}

// textOf returns an error's text, with verbs as they are typed.
func textOf(err error) string { return errs.Render(err, typed) }

// hintOf returns what to do next about all errors in err, a line each.
func hintOf(err error) string {
	var hints []string
	for _, next := range errs.Steps(err) {
		hints = append(hints, next.Render(typed))
	}
	return strings.Join(hints, "\n      ")
}

// addressed is an address, with or without a port, as errors of connections have it.
var addressed = regexp.MustCompile(
	`\[[0-9a-f:.]+\](:\d+)?|\b\d+\.\d+\.\d+\.\d+(:\d+)?|\b[0-9a-f]*:[0-9a-f:]*:[0-9a-f:.]*`)

// sameOnce says an error that several hosts have once, under the first host's, with the names of
// the others: entries "  - HOST: TEXT" that differ in nothing but the host and its address.
func sameOnce(text string) string {
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
