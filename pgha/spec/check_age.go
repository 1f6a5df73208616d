package spec

import (
	"bytes"

	"github.com/pgha/toolkit/internal/sealed"
	"github.com/pgha/toolkit/pgha/errs"
)

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
