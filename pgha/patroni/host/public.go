package host

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// comment finds one at the beginning of a line or behind a value.
var comment = regexp.MustCompile(`(?m)(^|\s)#`)

// public tells whether a config.yml holds nothing but what this package writes without Extra, and
// so no secret: fields that the model does not know, passwords in values and comments of others are
// not for everybody's eyes.
func public(content []byte) bool {
	text := strings.TrimPrefix(string(content), configHeader)
	words := strings.ReplaceAll(strings.ToLower(text), "password_encryption", "")
	if comment.MatchString(text) || strings.Contains(words, "password") {
		return false
	}
	d := yaml.NewDecoder(bytes.NewReader(content))
	d.KnownFields(true)
	err := d.Decode(new(file))
	return err == nil || errors.Is(err, io.EOF) // an empty file
}
