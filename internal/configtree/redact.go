package configtree

import (
	"regexp"
)

var passwords = regexp.MustCompile(`(password=)('[^']*'|\S+)|(://[^:/@\s]+:)[^@\s]+(@)`)

// HidePasswords replaces passwords in connection strings.
func HidePasswords(text string) string {
	return passwords.ReplaceAllString(text, "$1$3[redacted]$4")
}
