package errs

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Call refers to a verb of this library, such as apply or doctor, with the arguments and options
// that a command line would give it.
type Call struct {
	Verb string   `json:"verb"`
	Args []string `json:"args,omitempty"`
}

// Verb returns a Call.
func Verb(name string, args ...string) Call { return Call{name, args} }

// String returns verb and arguments in backquotes, without the name of any program.
func (c Call) String() string { return "`" + c.Words() + "`" }

// Words returns verb and arguments, separated by spaces.
func (c Call) Words() string { return strings.Join(append([]string{c.Verb}, c.Args...), " ") }

// Next is what to do next: a text that refers to verbs. The zero value says nothing.
//
// As JSON it is a list of texts and calls: ["look at ",{"verb":"status"}].
type Next struct{ parts []part }

// part is a text or, when its verb is set, a call.
type part struct {
	text string
	call Call
}

// Text returns a Next. It formats as fmt.Sprintf does, but keeps each argument that is a [Call] or
// a Next as what it is. Without arguments the text is taken as it stands, percent signs too.
func Text(format string, args ...any) Next {
	if len(args) == 0 {
		return Next{}.with(part{text: format})
	}
	marked := slices.Clone(args)
	for i, a := range args {
		switch a.(type) {
		case Call, Next:
			marked[i] = mark + strconv.Itoa(i) + mark
		}
	}
	var n Next
	for i, text := range strings.Split(fmt.Sprintf(format, marked...), mark) {
		if i%2 == 0 {
			n = n.with(part{text: text})
			continue
		}
		which, _ := strconv.Atoi(text)
		switch a := args[which].(type) {
		case Call:
			n = n.with(part{call: a})
		case Next:
			n = n.with(a.parts...)
		}
	}
	return n
}

// mark stands around the number of an argument while the text is formatted.
const mark = "\x00"

// with returns n with these parts behind it; empty ones are left out.
func (n Next) with(parts ...part) Next {
	all := slices.Clone(n.parts)
	for _, p := range parts {
		if p.text != "" || p.call.Verb != "" {
			all = append(all, p)
		}
	}
	return Next{all}
}

// IsZero reports whether n says nothing.
func (n Next) IsZero() bool { return len(n.parts) == 0 }

// String returns the text, with calls as [Call.String] has them.
func (n Next) String() string { return n.Render(Call.String) }

// Render returns the text, with calls as f has them.
func (n Next) Render(f func(Call) string) string {
	var b strings.Builder
	for _, p := range n.parts {
		if p.call.Verb != "" {
			b.WriteString(f(p.call))
		} else {
			b.WriteString(p.text)
		}
	}
	return b.String()
}

// Calls returns the calls, in the text's order.
func (n Next) Calls() []Call {
	var calls []Call
	for _, p := range n.parts {
		if p.call.Verb != "" {
			calls = append(calls, p.call)
		}
	}
	return calls
}

// MarshalJSON returns a list of texts and calls.
func (n Next) MarshalJSON() ([]byte, error) {
	list := make([]any, len(n.parts))
	for i, p := range n.parts {
		if list[i] = p.text; p.call.Verb != "" {
			list[i] = p.call
		}
	}
	return json.Marshal(list)
}

// UnmarshalJSON reads what [Next.MarshalJSON] wrote, and a plain text.
func (n *Next) UnmarshalJSON(data []byte) error {
	var text string
	if json.Unmarshal(data, &text) == nil {
		*n = Text("%s", text)
		return nil
	}
	var list []json.RawMessage
	if err := json.Unmarshal(data, &list); err != nil {
		return err
	}
	var read Next
	for _, item := range list {
		var p part
		if json.Unmarshal(item, &p.text) != nil {
			if err := json.Unmarshal(item, &p.call); err != nil {
				return err
			}
		}
		read = read.with(p)
	}
	*n = read
	return nil
}

// Render returns the text of err, with the calls that the text itself refers to as f has them. A
// type of error that has such a text says so by a method Render(func(Call) string) string; its
// Error returns the same with [Call.String].
func Render(err error, f func(Call) string) string {
	text := err.Error()
	var walk func(error)
	walk = func(err error) {
		if e, ok := err.(interface {
			Render(func(Call) string) string
		}); ok {
			text = strings.ReplaceAll(text, err.Error(), e.Render(f))
		}
		for _, e := range children(err) {
			walk(e)
		}
	}
	walk(err)
	return text
}

// WithNext returns err with what to do next. Text and chain of err stay; nil stays nil.
func WithNext(err error, next Next) error {
	if err == nil {
		return nil
	}
	return &advised{err, next}
}

type advised struct {
	error
	next Next
}

func (e *advised) Unwrap() error { return e.error }
func (e *advised) Next() Next    { return e.next }

// NextOf returns the outermost of [Steps], or a zero Next.
func NextOf(err error) Next {
	if steps := Steps(err); len(steps) > 0 {
		return steps[0]
	}
	return Next{}
}

// Steps returns what to do next about err and all errors in it, from the outside in and each once.
// A type of error says what to do next by a method Next() Next.
func Steps(err error) []Next {
	var steps []Next
	seen := map[string]bool{}
	var walk func(error)
	walk = func(err error) {
		if e, ok := err.(interface{ Next() Next }); ok && !e.Next().IsZero() &&
			!seen[e.Next().String()] {
			seen[e.Next().String()] = true
			steps = append(steps, e.Next())
		}
		for _, e := range children(err) {
			walk(e)
		}
	}
	walk(err)
	return steps
}
