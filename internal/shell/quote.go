// Package shell quotes words for a POSIX shell. It is the only place where an argument vector
// becomes a command line.
package shell

import (
	"errors"
	"fmt"
	"strings"
)

// ErrNUL is returned for a word that holds a NUL byte, which no shell can carry.
var ErrNUL = errors.New("a command argument holds a NUL byte")

// Quote returns word so that a POSIX shell reads it back unchanged as one word. Words made only of
// characters without a meaning to the shell are returned as they are; every other word is put in
// single quotes.
func Quote(word string) (string, error) {
	if strings.IndexByte(word, 0) >= 0 {
		return "", ErrNUL
	}
	if word == "" {
		return "''", nil
	}
	if strings.IndexFunc(word, special) < 0 {
		return word, nil
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'", nil
}

// Join quotes every word of argv and joins them with spaces.
func Join(argv []string) (string, error) {
	words := make([]string, len(argv))
	for i, a := range argv {
		q, err := Quote(a)
		if err != nil {
			return "", fmt.Errorf("quote argument %d: %w", i, err)
		}
		words[i] = q
	}
	return strings.Join(words, " "), nil
}

func special(r rune) bool {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
		return false
	}
	return !strings.ContainsRune("@%+:,./-_", r)
}
