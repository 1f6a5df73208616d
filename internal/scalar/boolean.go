package scalar

import "strings"

// Bool reads true and false. The words that older YAML and other programs take for them are
// refused.
func Bool(text string) (bool, *Fault) {
	switch text {
	case "true", "True", "TRUE":
		return true, nil
	case "false", "False", "FALSE":
		return false, nil
	}
	if meant, ok := Truth(text); ok {
		word := "false"
		if meant {
			word = "true"
		}
		return false, &Fault{"is not a boolean here", "write " + word}
	}
	return false, &Fault{"is not a boolean", "write true or false"}
}

// Truth tells what a word means that some programs take for a boolean: yes, no, on, off, y, n, 1,
// 0, enabled, disabled, and true and false themselves, in any case.
func Truth(word string) (meant, ok bool) {
	switch strings.ToLower(word) {
	case "true", "t", "yes", "y", "on", "1", "enable", "enabled":
		return true, true
	case "false", "f", "no", "n", "off", "0", "disable", "disabled":
		return false, true
	}
	return false, false
}

// YAML11 tells whether YAML 1.1, which other readers of the same text may follow, takes a word for
// a boolean where YAML 1.2 takes it for text.
func YAML11(word string) bool {
	switch word {
	case "y", "Y", "yes", "Yes", "YES", "n", "N", "no", "No", "NO", "on", "On", "ON", "off",
		"Off", "OFF":
		return true
	}
	return false
}
