package spec

import (
	"bytes"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/pgha/toolkit/internal/sealed"
	"github.com/pgha/toolkit/pgha/errs"
)

// CheckPassword says what is wrong with a password of PostgreSQL's roles, without showing it; nil
// means that every program that logs in takes it for the same. Any language's letters, quotes,
// backslashes, dollars and spaces inside are fine.
//
// Refused are: less than 12 characters; line breaks and control characters, which libpq's password
// file cannot hold; a space at either end, which is a slip of an editor; and characters that
// SASLprep (RFC 4013) writes in another way, such as ª, ﬁ or a decomposed ä, because libpq, pgx and
// JDBC do not agree about them.
func CheckPassword(password string) error {
	if problem, remedy := passwordFault(password); problem != "" {
		return errors.New("the password " + problem + "; " + remedy)
	}
	return nil
}

const minSecretLength = 12

func passwordFault(password string) (problem, remedy string) {
	switch {
	case strings.ContainsAny(password, "\r\n"):
		return "has more than one line, which libpq's password file cannot hold",
			"write one password on one line"
	case !utf8.ValidString(password) || strings.ContainsFunc(password,
		func(r rune) bool {
			return r != ' ' && !unicode.IsGraphic(r) && !unicode.Is(unicode.Cf, r)
		}):
		return "holds characters that are no text",
			"write letters, digits, signs and spaces, in UTF-8"
	case strings.TrimSpace(password) != password:
		return "begins or ends with a space", "write the password alone on one line"
	case !norm.NFKC.IsNormalString(password) || strings.ContainsFunc(password, isAmbiguous):
		return "holds a character that programs write in different ways (composed or not, wide " +
				"or narrow, invisible)",
			"write it in its usual form, or leave it out"
	case utf8.RuneCountInString(password) < minSecretLength:
		return "is too short",
			fmt.Sprintf("use %d characters or more, or delete the line to have one generated",
				minSecretLength)
	}
	return "", ""
}

// isAmbiguous tells whether SASLprep leaves a character out (table B.1 of RFC 3454 and everything
// else that is invisible) or makes it a plain space, beside what its normalization does.
func isAmbiguous(r rune) bool {
	return unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Variation_Selector, r) || r == 0x034f ||
		r == 0x1806 || unicode.Is(unicode.Zs, r) && r != ' '
}

// secret is where one role's password comes from.
type secret struct {
	role, file string
	command    []string
}

func (s Secrets) all() []secret {
	return []secret{
		{"superuser", s.SuperuserPasswordFile, s.SuperuserPasswordCommand},
		{"replication", s.ReplicationPasswordFile, s.ReplicationPasswordCommand},
		{"rewind", s.RewindPasswordFile, s.RewindPasswordCommand},
	}
}

func (c *checker) secrets() {
	c.stateDir()
	for _, s := range c.Secrets.all() {
		file, command := "secrets."+s.role+"_password_file", "secrets."+s.role+"_password_command"
		_, given := c.d.at[command]
		switch {
		case s.file != "" && (given || len(s.command) > 0):
			c.bad(command, "stands beside "+s.role+"_password_file, and only one of them can "+
				"give the password",
				"delete one of the two")
		case s.file != "":
			c.passwordFile(file, s.file)
		case given || len(s.command) > 0:
			c.secretCommand(command, s.command, "pass, show, db/superuser")
		}
	}
	c.age()
}

// passwordFile checks a password without ever showing it.
func (c *checker) passwordFile(field, path string) {
	b, ok := c.smallFile(field, path, true)
	if !ok {
		return
	}
	if problem, remedy := passwordFault(strings.TrimRight(string(b), "\r\n")); problem != "" {
		c.bad(field, "the password in "+path+" "+problem, remedy)
	}
}

// secretCommand looks for the program and does not run it.
func (c *checker) secretCommand(field string, argv []string, example string) {
	remedy := "write the program and its arguments as a list: [" + example + "]"
	if len(argv) == 0 || argv[0] == "" {
		c.bad(field, "names no program", remedy)
		return
	}
	if strings.Contains(strings.Join(argv, ""), "\x00") {
		c.bad(field, "holds a NUL character", remedy)
		return
	}
	_, err := exec.LookPath(argv[0])
	switch {
	case err == nil || errors.Is(err, exec.ErrDot):
	case strings.Contains(argv[0], " ") && len(argv) == 1:
		c.bad(field, quoted(redactText(argv[0]))+" is not a program on this machine: no shell "+
			"takes it apart", remedy)
	case filepath.IsAbs(argv[0]):
		c.bad(field, argv[0]+" is not a program that this user can run",
			"check the path, and that the file is executable")
	default:
		c.bad(field, quoted(argv[0])+" is not a program on this machine",
			"install it, or write its whole path")
	}
}

// age checks who may read the secrets. Whether the identity is that of a recipient is tried when it
// is used.
func (c *checker) age() {
	const section = "secrets.age"
	a := c.Secrets.Age
	for i, r := range a.Recipients {
		if err := sealed.CheckRecipient(r); err != nil {
			// What stands in the wrong place may be a private key: it isn't repeated.
			c.bad(element(section+".recipients", i), err.Error(),
				"write a public key: age1..., as age-keygen -y prints it, or the line of an SSH "+
					".pub file")
		}
	}
	_, given := c.d.at[section+".identity_command"]
	given = given || len(a.IdentityCommand) > 0
	switch {
	case a.IdentityFile != "" && given:
		c.bad(section+".identity_command", "stands beside identity_file, and only one of them "+
			"can give the identity",
			"delete one of the two")
	case a.IdentityFile != "":
		c.ageIdentity(section+".identity_file", a.IdentityFile)
	case given:
		c.secretCommand(section+".identity_command", a.IdentityCommand, "pass, show, pgha/identity")
	case a.On():
		c.bad(section, "has recipients and no identity: what is encrypted could not be read again",
			"add identity_file or identity_command")
	}
	if _, there := c.d.at[section]; there && !a.On() {
		c.wrong(section, "has no recipients",
			errs.Text("add recipients, or delete the section once %s has been run",
				errs.Verb("secrets", "decrypt")))
	}
}

func (c *checker) ageIdentity(field, path string) {
	b, ok := c.smallFile(field, path, true)
	if ok && !bytes.Contains(b, []byte("AGE-SECRET-KEY-")) &&
		!bytes.Contains(b, []byte("PRIVATE KEY-----")) {
		c.bad(field, path+" holds neither an identity of age's nor a private key of SSH",
			"name the file that age-keygen wrote, unencrypted; or let identity_command print it")
	}
}
