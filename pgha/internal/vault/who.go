package vault

import (
	"fmt"
	"os"
	"os/user"
)

// WhoAmI names the person and the machine that this program runs for.
func WhoAmI() string {
	name := "somebody"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	// Root by way of sudo is a person all the same.
	if sudo := os.Getenv("SUDO_USER"); sudo != "" {
		name = sudo
	}
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	return fmt.Sprintf("%s@%s, process %d", name, host, os.Getpid())
}
