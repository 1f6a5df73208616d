package spec_test

import (
	"strings"
	"testing"

	"golang.org/x/text/secure/precis"

	"github.com/pgha/toolkit/pgha/spec"
)

var goodPasswords = []string{
	"correct horse battery", `it's "quoted" $(id) $$ ` + "`id`" + ` %s a:b\c #`,
	"contraseña correcta",
	"pä\"ß'\\$(x) 密码 κωδικός",
	"пароль пароль", "كلمة السر الطويلة", "emoji 🐘🐘🐘🐘🐘🐘", strings.Repeat("x", 200),
	strings.Repeat("密", 200), "#no comment here", "*:*:*:*:*:*:",
}

func TestCheckPassword(t *testing.T) {
	t.Parallel()
	for _, p := range goodPasswords {
		if err := spec.CheckPassword(p); err != nil {
			t.Errorf("%q: %v", p, err)
		}
	}
	for p, want := range map[string]string{
		"":                           "too short",
		"hunter2":                    "too short",
		"密码密码密码密码密码密":                "too short",
		"two\nlines two lines":       "more than one line",
		"ends with a return\r":       "more than one line",
		"a tab\tinside it":           "no text",
		"a nul\x00 inside it":        "no text",
		"not \xff utf-8 at all":      "no text",
		" begins with a space":       "begins or ends",
		"no-break\u00a0space":        "different ways",
		"zero width\u200bspace":      "different ways",
		"soft\u00adhyphen inside":    "different ways",
		"variation selector \ufe0f!": "different ways",
		"decomposed a\u0308 inside":  "different ways",
		"ordinal ª and ﬁ":            "different ways",
		"wide ｐａｓｓｗｏｒｄ":              "different ways",
	} {
		err := spec.CheckPassword(p)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", p, err, want)
		}
		if err != nil && p != "" && strings.Contains(err.Error(), p) {
			t.Errorf("the error shows the password: %v", err)
		}
	}
}

// FuzzCheckPassword looks for a password that is accepted though a program would change it before
// it is used.
func FuzzCheckPassword(f *testing.F) {
	for _, p := range goodPasswords {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, password string) {
		if spec.CheckPassword(password) != nil {
			return
		}
		if strings.ContainsAny(password, "\x00\r\n") {
			t.Errorf("%q cannot stand in a password file", password)
		}
		// What OpaqueString refuses is used as it is.
		if used, err := precis.OpaqueString.String(password); err == nil && used != password {
			t.Errorf("%q is used as %q", password, used)
		}
	})
}
