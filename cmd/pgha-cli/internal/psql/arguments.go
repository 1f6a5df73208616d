// Package psql reads the arguments of psql, gives it a password without a file on disk, and prints
// connection strings.
package psql

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/pgha/toolkit/pgha"
)

// Arguments are psql's own arguments without what says where to connect, which is always the
// cluster.
type Arguments struct {
	Database, User string   // "" where they are not named
	Read           bool     // the port of the replicas
	Rest           []string // what else there is, for psql
}

// longNames are psql's long options for where to connect, by their short ones.
var longNames = map[string]byte{"--dbname": 'd', "--username": 'U', "--host": 'h', "--port": 'p'}

// psqlValued are psql's other options that take a value.
const (
	shortValued = "cfFLoPRTvdUhp"
	longValued  = " --command --file --field-separator --log-file --output --pset " +
		"--record-separator --table-attr --set --variable --dbname --username --host --port "
)

// Parse takes psql's arguments apart as psql does: options may stand after a database and a user
// without a dash. An error says what is wrong with the command line.
func Parse(args []string, conn pgha.Connection) (Arguments, error) {
	var p Arguments
	var words []string
	for i := 0; i < len(args); i++ {
		arg := args[i]
		next := func() (string, error) {
			if i++; i >= len(args) {
				return "", fmt.Errorf("psql's option %s wants a value", arg)
			}
			return args[i], nil
		}
		switch name, value, given := strings.Cut(arg, "="); {
		case arg == "--":
			words = append(words, args[i+1:]...)
			i = len(args)
		case !strings.HasPrefix(arg, "-") || arg == "-":
			words = append(words, arg)
		case strings.HasPrefix(arg, "--"):
			if !given && strings.Contains(longValued, " "+name+" ") {
				var err error
				if value, err = next(); err != nil {
					return p, err
				}
			}
			if short, ok := longNames[name]; ok {
				if err := p.connect(short, value, conn); err != nil {
					return p, err
				}
			} else if given || !strings.Contains(longValued, " "+name+" ") {
				p.Rest = append(p.Rest, arg)
			} else {
				p.Rest = append(p.Rest, arg, value)
			}
		default:
			at := strings.IndexAny(arg[1:], shortValued) + 1
			if at == 0 {
				p.Rest = append(p.Rest, arg)
				break
			}
			value := arg[at+1:]
			apart := value == ""
			if apart {
				var err error
				if value, err = next(); err != nil {
					return p, err
				}
			}
			if strings.IndexByte("dUhp", arg[at]) < 0 {
				p.Rest = append(p.Rest, arg)
				if apart {
					p.Rest = append(p.Rest, value)
				}
				break
			}
			if at > 1 {
				p.Rest = append(p.Rest, arg[:at])
			}
			if err := p.connect(arg[at], value, conn); err != nil {
				return p, err
			}
		}
	}
	return p, p.words(words, conn)
}

// words are the database and the user that stand without an option.
func (p *Arguments) words(words []string, conn pgha.Connection) error {
	for _, w := range words {
		option := byte('d')
		switch {
		case p.Database == "":
		case p.User == "":
			option = 'U'
		default:
			return fmt.Errorf("psql takes a database and a user, and %q is one more", w)
		}
		if err := p.connect(option, w, conn); err != nil {
			return err
		}
	}
	return nil
}

// connect takes an option that says where to connect.
func (p *Arguments) connect(option byte, value string, conn pgha.Connection) error {
	switch option {
	case 'd':
		if strings.Contains(value, "=") || strings.Contains(value, "://") {
			return fmt.Errorf(
				"psql goes to the cluster: name the database alone, not a connection string; " +
					"pgha-cli connection prints one for psql itself")
		}
		p.Database = value
	case 'U':
		p.User = value
	case 'h':
		return fmt.Errorf(
			"psql goes to the cluster's own address, not to %q; pgha-cli query --member asks one "+
				"member", value)
	case 'p':
		switch {
		case conn.ReadDSN != "" && (value == "read" || value == strconv.Itoa(conn.ReadPort)):
			p.Read = true
		case value == "write" || value == strconv.Itoa(conn.Port):
			p.Read = false
		default:
			return fmt.Errorf("port %q is none of the cluster's: write leads to the primary, "+
				"read to the replicas", value)
		}
	}
	return nil
}
