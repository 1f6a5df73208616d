package errs

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"testing"
)

func TestText(t *testing.T) {
	t.Parallel()
	show := Text("see %s", Verb("status"))
	for name, tt := range map[string]struct {
		next         Next
		neutral, cli string
		json         string
	}{
		"nothing": {Next{}, "", "", `[]`},
		"empty":   {Text(""), "", "", `[]`},
		"as it stands": {Text("at 100% of it"), "at 100% of it", "at 100% of it",
			`["at 100% of it"]`},
		"a call alone": {Text("%s", Verb("doctor", "--fix")), "`doctor --fix`", "x doctor --fix",
			`[{"verb":"doctor","args":["--fix"]}]`},
		"calls and values": {Text("%s on %q, then %s (%d)", Verb("stop"), "pg1",
			Verb("apply", "--yes"), 3),
			"`stop` on \"pg1\", then `apply --yes` (3)", `x stop on "pg1", then x apply --yes (3)`,
			`[{"verb":"stop"}," on \"pg1\", then ",{"verb":"apply","args":["--yes"]}," (3)"]`},
		"in another order": {Text("%[2]s before %[1]s", Verb("stop"), Verb("start")),
			"`start` before `stop`", "x start before x stop",
			`[{"verb":"start"}," before ",{"verb":"stop"}]`},
		"within another": {Text("%s; %s", show, Text("wait")), "see `status`; wait",
			"see x status; wait",
			`["see ",{"verb":"status"},"; ","wait"]`},
		"a value like a call": {Text("%s of %s", "`stop`", Verb("stop")), "`stop` of `stop`",
			"`stop` of x stop",
			"[\"`stop` of \",{\"verb\":\"stop\"}]"},
	} {
		if got := tt.next.String(); got != tt.neutral {
			t.Errorf("%s: reads %q, want %q", name, got, tt.neutral)
		}
		if got := tt.next.Render(func(c Call) string { return "x " + c.Words() }); got != tt.cli {
			t.Errorf("%s: renders as %q, want %q", name, got, tt.cli)
		}
		data, err := json.Marshal(tt.next)
		if err != nil || string(data) != tt.json {
			t.Errorf("%s: is %s (%v), want %s", name, data, err, tt.json)
		}
		var back Next
		if err := json.Unmarshal(data, &back); err != nil || back.String() != tt.neutral {
			t.Errorf("%s: comes back as %q (%v)", name, back, err)
		}
		if tt.next.IsZero() != (tt.neutral == "") {
			t.Errorf("%s: IsZero is %v", name, tt.next.IsZero())
		}
	}
}

// told is an error whose text refers to a verb.
type told struct{ text Next }

func (e told) Error() string                     { return e.Render(Call.String) }
func (e told) Render(f func(Call) string) string { return e.text.Render(f) }

// Render finds the texts that refer to verbs wherever they stand in an error.
func TestRender(t *testing.T) {
	t.Parallel()
	one, two := told{Text("see %s", Verb("one"))}, told{Text("%s is it", Verb("two", "--yes"))}
	x := func(c Call) string { return "x " + c.Words() }
	for name, tt := range map[string]struct {
		err  error
		want string
	}{
		"none":    {io.EOF, "EOF"},
		"itself":  {one, "see x one"},
		"wrapped": {WithNext(fmt.Errorf("read: %w", one), Text("go")), "read: see x one"},
		"joined": {Join(one, io.EOF, two), "3 errors:\n  - see x one\n  - EOF\n  - x two " +
			"--yes is it"},
		"in turn": {fmt.Errorf("%w, then %w; `two`", two, one),
			"x two --yes is it, then see x one; `two`"},
	} {
		if got := Render(tt.err, x); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

// Texts of before, which were plain strings, are read as such.
func TestPlainTextIsRead(t *testing.T) {
	t.Parallel()
	var list []Next
	err := json.Unmarshal([]byte(`["100% of it",["see ",{"verb":"status"}]]`), &list)
	if err != nil || fmt.Sprint(list) != "[100% of it see `status`]" {
		t.Errorf("%v, %v", list, err)
	}
}

// A Next that is part of two texts stays what it is in both.
func TestTextsDoNotShare(t *testing.T) {
	t.Parallel()
	base := Text("a %s", Verb("b"))
	one, two := Text("%s c", base), Text("%s d", base)
	if one.String() != "a `b` c" || two.String() != "a `b` d" || base.String() != "a `b`" {
		t.Errorf("%q, %q, %q", one, two, base)
	}
	if len(one.Calls()) != 1 || one.Calls()[0].Verb != "b" {
		t.Errorf("its calls: %v", one.Calls())
	}
}

func TestUnmarshalRefuses(t *testing.T) {
	t.Parallel()
	for _, text := range []string{`1`, `[1]`, `[["a"]]`, `[`} {
		n := Text("kept")
		if err := json.Unmarshal([]byte(text), &n); err == nil || n.String() != "kept" {
			t.Errorf("%s: %v, %q", text, err, n)
		}
	}
}

func TestSteps(t *testing.T) {
	t.Parallel()
	if WithNext(nil, Text("x")) != nil || !NextOf(nil).IsZero() || !NextOf(io.EOF).IsZero() {
		t.Error("nothing is next where nothing failed, or nobody knows")
	}
	inner := WithNext(io.EOF, Text("wait"))
	outer := WithNext(fmt.Errorf("read: %w", inner), Text("see %s", Verb("status")))
	if !errors.Is(outer, io.EOF) || outer.Error() != "read: EOF" {
		t.Errorf("the error itself changed: %v", outer)
	}
	if got := NextOf(fmt.Errorf("apply: %w", outer)); got.String() != "see `status`" {
		t.Errorf("next is %q", got)
	}
	joined := fmt.Errorf("%w and %w", Join(io.EOF, outer, inner),
		WithNext(errors.Join(inner), Next{}))
	if got := fmt.Sprint(Steps(joined)); got != "[see `status` wait]" {
		t.Errorf("steps are %s", got)
	}
}
