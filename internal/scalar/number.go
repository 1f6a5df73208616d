// Package scalar reads numbers, durations and booleans as people write them: decimal, in one way,
// without guesses. What programs read differently (036, 0x1E, 1_000, .5, 1e3, yes) is refused, with
// what to write instead.
//
// The functions are pure and may be called from several goroutines at once.
package scalar

import (
	"math"
	"math/big"
	"regexp"
	"strconv"
	"strings"
)

// Fault is what is wrong with a text; nil means nothing.
type Fault struct {
	// Problem continues the text in quotes: "is not a whole number".
	Problem string
	// Remedy says what to write: "write 36".
	Remedy string
}

var (
	wholeSyntax   = regexp.MustCompile(`^-?(?:0|[1-9][0-9]*)$`)
	decimalSyntax = regexp.MustCompile(`^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?$`)
	zerosSyntax   = regexp.MustCompile(`^[+-]?0[0-9]+(?:\.[0-9]+)?$`)
	basedSyntax   = regexp.MustCompile(`^[+-]?0[xXoObB][0-9A-Fa-f_]+$`)
	underSyntax   = regexp.MustCompile(`^[+-]?[0-9]+(?:_[0-9]+)+$`)
	groupedSyntax = regexp.MustCompile(`^[+-]?[0-9]{1,3}(?:[,'][0-9]{3})+$`)
	looseSyntax   = regexp.MustCompile(
		`^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?$`)
	sizeSyntax = regexp.MustCompile(`^(-?[0-9]+(?:\.[0-9]+)?) ?([kKMGT])i?[bB]?$`)
)

// Whole reads a whole number between two bounds that int64 has.
func Whole(text string) (int64, *Fault) {
	if wholeSyntax.MatchString(text) {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return 0, &Fault{"is out of range", "write a number of fewer digits"}
		}
		return n, nil
	}
	if fault := Strange(text); fault != nil {
		return 0, fault
	}
	if groupedSyntax.MatchString(text) {
		return 0, grouped(text)
	}
	const problem = "is not a whole number"
	if f, ok := Loose(text); ok && f == math.Trunc(f) && math.Abs(f) < 1<<53 {
		return 0, &Fault{problem, "write " + Text(f)}
	}
	if m := sizeSyntax.FindStringSubmatch(text); m != nil {
		unit := int64(1) << (10 * (1 + strings.Index("KMGT", strings.ToUpper(m[2]))))
		if f, err := strconv.ParseFloat(m[1], 64); err == nil && math.Abs(f) < 1<<20 {
			return 0, &Fault{problem, "write " + strconv.FormatInt(int64(f*float64(unit)), 10) +
				", without a unit"}
		}
	}
	return 0, &Fault{problem, "write digits only"}
}

// Number reads a decimal number, with or without a fraction.
func Number(text string) (float64, *Fault) {
	if decimalSyntax.MatchString(text) {
		if f, err := strconv.ParseFloat(text, 64); err == nil {
			return f, nil
		}
	}
	if fault := Strange(text); fault != nil {
		return 0, fault
	}
	if f, ok := Loose(text); ok {
		return 0, &Fault{"is not written as a plain decimal", "write " + Text(f)}
	}
	return 0, &Fault{"is not a number", "write digits, and a dot before a fraction"}
}

// Loose reads what most programs take for a decimal number: beside those that Number reads .5, 5.,
// +5 and 1e3.
func Loose(text string) (float64, bool) {
	if !looseSyntax.MatchString(text) {
		return 0, false
	}
	f, err := strconv.ParseFloat(text, 64)
	return f, err == nil
}

// Text is a number as Number reads it.
func Text(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// Strange finds whole numbers that one program reads differently than the next: with leading zeros,
// in another base than ten or with underscores between their digits. nil means that the text is
// none of them.
func Strange(text string) *Fault {
	if !zerosSyntax.MatchString(text) && !basedSyntax.MatchString(text) &&
		!underSyntax.MatchString(text) {
		return nil
	}
	sign, digits := "", strings.TrimLeft(text, "+-")
	if strings.HasPrefix(text, "-") {
		sign = "-"
	}
	switch {
	case zerosSyntax.MatchString(text):
		whole, fraction, _ := strings.Cut(digits, ".")
		meant := sign + strings.TrimLeft(whole[:len(whole)-1], "0") + whole[len(whole)-1:]
		if fraction != "" {
			return &Fault{"begins with a zero", "write " + meant + "." + fraction}
		}
		if octal, err := strconv.ParseInt(digits, 8, 64); err == nil && octal > 7 {
			return &Fault{"begins with a zero, which some programs take for octal",
				"write " + meant + ", or " + sign + strconv.FormatInt(octal, 10) +
					" if octal was meant"}
		}
		return &Fault{"begins with a zero", "write " + meant}
	case basedSyntax.MatchString(text):
		if n, ok := new(big.Int).SetString(strings.ToLower(digits), 0); ok {
			return &Fault{"is not decimal", "write " + sign + n.String()}
		}
		return &Fault{"is not decimal", "write digits only"}
	}
	return grouped(text)
}

// grouped says how a number with its digits in groups is written.
func grouped(text string) *Fault {
	digits := strings.TrimLeft(strings.NewReplacer("_", "", ",", "", "'", "", "+",
		"").Replace(text), "0")
	if digits == "" {
		digits = "0"
	}
	return &Fault{"has its digits in groups", "write " + digits}
}
