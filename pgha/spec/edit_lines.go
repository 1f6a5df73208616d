package spec

import (
	"bytes"
	"strings"
)

// lines are the text's lines, with their ends.
func (s source) lines() [][]byte { return bytes.SplitAfter(s.text, []byte("\n")) }

// lineAfter inserts whole lines after the one with this index.
func (s source) lineAfter(index int, text string) splice {
	at := 0
	for i, line := range s.lines() {
		if i > index {
			break
		}
		at += len(line)
	}
	if at > 0 && s.text[at-1] != '\n' {
		text = s.newline + strings.TrimSuffix(text, s.newline)
	}
	return splice{at, at, text}
}

// lastLine is the index of the last line of an entry that begins in line first, in a section of this indentation.
func (s source) lastLine(first, indent int, isList bool) int {
	last := first
	for i, line := range s.lines() {
		bare := bytes.TrimLeft(line, " ")
		if i <= first || len(bytes.TrimSpace(bare)) == 0 {
			continue
		}
		depth := len(line) - len(bare)
		closing := bare[0] == ']' || bare[0] == '}'
		dash := !isList && depth == indent && bytes.HasPrefix(bare, []byte("-")) && !bytes.HasPrefix(bare, []byte("---"))
		switch {
		case depth > indent, closing, dash:
			last = i
		case bare[0] != '#': // a comment may be followed by more of the entry
			return last
		}
	}
	return last
}

// shownDefault finds the comment in a section that shows a field's default, as "# ttl: 30" does. The search begins below the
// section's name, in the line with index first.
func (s source) shownDefault(first, indent int, name string) (int, bool) {
	comment := []byte(strings.Repeat(" ", indent) + "# " + name + ":")
	for i, line := range s.lines() {
		bare := bytes.TrimSpace(line)
		if i < first || len(bare) == 0 {
			continue
		}
		if bytes.HasPrefix(line, comment) {
			return i, true
		}
		if depth := len(line) - len(bytes.TrimLeft(line, " ")); depth < indent && bare[0] != '#' {
			break
		}
	}
	return 0, false
}
