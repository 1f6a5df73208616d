// Package etcdrelease knows etcd's releases: which one is installed unless another is asked for,
// which are refused, and what is wrong with those that are not. It is pure and contacts nobody.
package etcdrelease

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Default is the release that is installed where the specification names none: the newest of 3.6
// when this was written.
const Default = "3.6.16"

// Oldest are the first releases that are accepted. Those before have faults that Patroni's release
// notes warn of, or a listener that strangers can exhaust (GHSA-6vch-q96h-7gc3); 3.6.10 to 3.6.13
// have that too, are in use since long before it was known, and are accepted with the warning that
// Faults gives.
const (
	oldest35 = 33
	oldest36 = 10
)

// Remedy says what can be written instead of a refused version.
func Remedy() string {
	return fmt.Sprintf("write 3.6.%d or later of 3.6, or 3.5.%d or later of 3.5", oldest36,
		oldest35)
}

// Syntax is how a complete version looks: three numbers, and nothing around them.
var Syntax = regexp.MustCompile(`^(0|[1-9]\d{0,3})\.(0|[1-9]\d{0,3})\.(0|[1-9]\d{0,3})$`)

// number is a release: 3.6.16 is {3, 6, 16}.
type number [3]int

func parse(version string) (n number, complete bool) {
	m := Syntax.FindStringSubmatch(version)
	if m == nil {
		return n, false
	}
	for i := range n {
		n[i], _ = strconv.Atoi(m[i+1])
	}
	return n, true
}

// Check returns an error that says why etcd is not installed in this version, or nil. A version is
// three numbers, as in etcd's own names of releases without the "v".
func Check(version string) error {
	n, complete := parse(version)
	if !complete {
		return fmt.Errorf("%q is not a complete version", version)
	}
	series := number{n[0], n[1]}
	switch {
	case series == number{3, 6} && n[2] >= oldest36, series == number{3, 5} && n[2] >= oldest35:
		return nil
	case n[0] > 3 || n[0] == 3 && n[1] > 6:
		return fmt.Errorf("etcd %s has not been tried with Patroni", version)
	}
	return fmt.Errorf("etcd %s is too old: it lacks fixes that Patroni and the cluster's "+
		"safety need", version)
}

// fault is one that etcd's release notes say is mended, with the patch release of 3.5 and of 3.6
// that mended it.
type fault struct {
	mended35, mended36 int
	text               string
}

var faults = []fault{
	{30, 11, "no member can be added while another is down, though the quorum holds"},
	{31, 12, "an update of a member's address makes a voter of a learner"},
	{32, 13, "a revoked certificate is let in where the HTTP and the gRPC listener are apart"},
	{33, 14, "strangers can exhaust the listeners with handshakes that never end"},
}

// Faults lists what is wrong with a release and mended in a later one of its series, each with the
// release that mended it. Releases that Check refuses are judged, too, and so are a distribution's,
// with what it appends to the version ("3.5.16-4+b1"). What is no version has no known faults.
func Faults(version string) []string {
	if i := strings.IndexAny(version, "-+~"); i >= 0 {
		version = version[:i]
	}
	n, _ := parse(version)
	var found []string
	for _, f := range faults {
		mended := map[number]int{{3, 5}: f.mended35, {3, 6}: f.mended36}[number{n[0], n[1]}]
		if n[2] < mended {
			found = append(found, fmt.Sprintf("%s (mended in %d.%d.%d)", f.text, n[0], n[1],
				mended))
		}
	}
	return found
}
