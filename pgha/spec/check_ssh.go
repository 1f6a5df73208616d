package spec

import (
	"encoding/base64"
	"errors"
	"net/netip"
	"regexp"
	"strings"
	"time"
)

var userSyntax = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.@\\-]{0,63}$`)

// sshChecker checks how the hosts are logged in to.
type sshChecker struct{ *checker }

func (c sshChecker) all() {
	c.user("ssh.user", c.SSH.User)
	within(c.checker, "ssh.port", c.SSH.Port, 1, 65535)
	oneOf(c.checker, "ssh.host_keys", c.SSH.HostKeys, HostKeysStrict, HostKeysAcceptNew)
	c.between("ssh.connect_timeout", c.SSH.ConnectTimeout, time.Second, 5*time.Minute,
		time.Millisecond)
	within(c.checker, "ssh.max_sessions", c.SSH.MaxSessions, 1, 100)
	if c.SSH.KnownHosts == "" {
		c.bad("ssh.known_hosts", "is empty", "write a path, or delete the line for "+
			"~/.ssh/known_hosts")
	}
	if c.SSH.Jump != "" {
		c.jump("ssh.jump", c.SSH.Jump)
	}
	for i, file := range c.SSH.IdentityFiles {
		c.identity(element("ssh.identity_files", i), file)
	}
	c.answers("passphrase", c.SSH.PassphraseFile, c.SSH.PassphraseCommand)
	c.answers("sudo_password", c.SSH.SudoPasswordFile, c.SSH.SudoPasswordCommand)
	for i, h := range c.Hosts {
		c.hostSSH(element("hosts", i)+".ssh.", h.SSH)
	}
}

func (c sshChecker) hostSSH(field string, o HostSSH) {
	if o.User != "" {
		c.user(field+"user", o.User)
	}
	if _, given := c.d.at[field+"port"]; given || o.Port != 0 {
		within(c.checker, field+"port", o.Port, 1, 65535)
	}
	if o.Jump != "" && o.Jump != NoJump {
		c.jump(field+"jump", o.Jump)
	}
	if _, err := netip.ParseAddr(o.Address); o.Address != "" && err != nil &&
		!isHostName(o.Address) {
		c.bad(field+"address", quoted(o.Address)+" is neither an IP address nor a host name",
			"write the name or address that ssh connects to")
	}
	if o.HostKey == "" {
		return
	}
	digest, ok := strings.CutPrefix(o.HostKey, "SHA256:")
	if raw, err := base64.RawStdEncoding.DecodeString(digest); !ok || err != nil || len(raw) != 32 {
		c.bad(field+"host_key", quoted(o.HostKey)+" is not a key's fingerprint",
			"write SHA256: and 43 characters, as ssh-keygen -lf "+
				"/etc/ssh/ssh_host_ed25519_key.pub shows on the host")
	}
}

// answers checks what answers a question in place of a person.
func (c sshChecker) answers(what, path string, argv []string) {
	file, command := "ssh."+what+"_file", "ssh."+what+"_command"
	_, given := c.d.at[command]
	given = given || len(argv) > 0
	switch {
	case path != "" && given:
		c.bad(command, "stands beside "+what+"_file, and only one of them can answer",
			"delete one of the two")
	case path != "":
		if b, ok := c.ownFile(file, path); ok {
			if err := CheckAnswer(TrimAnswer(b)); err != nil {
				c.bad(file, "the text in "+path+" "+err.Error(), "write it alone on one line")
			}
		}
	case given:
		c.secretCommand(command, argv, "pass, show, ssh/admin")
	}
}

// TrimAnswer takes the line break off the end of what a file holds or a command prints.
func TrimAnswer(text []byte) string {
	return strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r")
}

// CheckAnswer says why a text cannot be what a person types when asked for sudo's password or a
// passphrase, without showing it; nil when it can be.
func CheckAnswer(text string) error {
	switch {
	case text == "":
		return errors.New("is empty")
	case strings.ContainsAny(text, "\r\n\x00"):
		return errors.New("has more than one line, or a NUL character")
	}
	return nil
}

func (c sshChecker) user(field, user string) {
	if !userSyntax.MatchString(user) {
		c.bad(field, quoted(user)+" cannot be a user's name",
			"write the user to log in as, such as root")
	}
}

// jump checks "user@host:port".
func (c sshChecker) jump(field, jump string) {
	if _, err := ParseJump(jump); err != nil {
		remedy := err.Error()
		if rest, ok := strings.CutPrefix(jump, "ssh://"); ok {
			if _, err := ParseJump(strings.TrimSuffix(rest, "/")); err == nil {
				remedy = "write " + strings.TrimSuffix(rest, "/")
			}
		}
		c.bad(field, quoted(jump)+" is not a jump host", remedy)
	}
}
