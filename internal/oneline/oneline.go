// Package oneline makes one line of a text, for messages, and tells what keeps a text from standing
// in one line of a configuration file.
package oneline

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Fault names the first character that no line of a file can hold, and says what to do; "" when
// there is none. Those are line ends of every kind, all other control characters but none that only
// looks odd, and what is no UTF-8.
func Fault(text string) (problem, remedy string) {
	if !utf8.ValidString(text) {
		return "is no text in UTF-8", "write it in UTF-8"
	}
	for _, r := range text {
		switch {
		case strings.ContainsRune("\n\r\v\f\u0085\u2028\u2029", r):
			return fmt.Sprintf(
					"has a line end in it (%U), and would break the file that it reaches", r),
				`write it in one line: no "|" and no ">" before it, and no \n in quotes`
		case unicode.IsControl(r):
			return fmt.Sprintf("has a control character in it (%U), and would break the file "+
					"that it reaches", r),
				"leave the character out"
		}
	}
	return "", ""
}
