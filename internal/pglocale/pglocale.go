// Package pglocale compares names of encodings and locales as PostgreSQL does.
package pglocale

import "strings"

// Encoding is an encoding's name as PostgreSQL compares it.
func Encoding(encoding string) string {
	name := strings.ToUpper(strings.Map(func(r rune) rune {
		if strings.ContainsRune("-_ ", r) {
			return -1
		}
		return r
	}, encoding))
	if name == "UNICODE" {
		return "UTF8"
	}
	return name
}

// Locale is a locale with its encoding as the C library compares it: en_US.utf8 is
// en_US.UTF-8.
func Locale(locale string) string {
	language, encoding, ok := strings.Cut(locale, ".")
	if !ok {
		return locale
	}
	if encoding = Encoding(encoding); encoding == "UTF8" {
		encoding = "UTF-8"
	}
	return language + "." + encoding
}
