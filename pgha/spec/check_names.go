package spec

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
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
		return fmt.Sprintf("has more than %d characters", most), fmt.Sprintf("write at most %d", most)
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
				problem, remedy = "has a part that is empty, or begins or ends with a hyphen", nameRule
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
