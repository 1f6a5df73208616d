package main

import (
	"strconv"
	"strings"

	"github.com/pgha/toolkit/pgha"
)

// psqlArguments are psql's own arguments without what says where to connect, which is always the
// cluster.
type psqlArguments struct {
	database, user string // "" where they are not named
	read           bool   // the port of the replicas
	rest           []string
}

// psqlLong are psql's long options for where to connect, by their short ones.
var psqlLong = map[string]byte{"--dbname": 'd', "--username": 'U', "--host": 'h', "--port": 'p'}

// psqlValued are psql's other options that take a value.
const (
	psqlShortValued = "cfFLoPRTvdUhp"
	psqlLongValued  = " --command --file --field-separator --log-file --output --pset --record-separator --table-attr --set --variable --dbname --username --host --port "
)

// parsePsql takes psql's arguments apart as psql does: options may stand after a database and a
// user without a dash.
func parsePsql(args []string, conn pgha.Connection) (psqlArguments, error) {
	var p psqlArguments
	var words []string
	for i := 0; i < len(args); i++ {
		arg := args[i]
		next := func() (string, error) {
			if i++; i >= len(args) {
				return "", usagef("psql's option %s wants a value", arg)
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
			if !given && strings.Contains(psqlLongValued, " "+name+" ") {
				var err error
				if value, err = next(); err != nil {
					return p, err
				}
			}
			if short, ok := psqlLong[name]; ok {
				if err := p.connect(short, value, conn); err != nil {
					return p, err
				}
			} else if given || !strings.Contains(psqlLongValued, " "+name+" ") {
				p.rest = append(p.rest, arg)
			} else {
				p.rest = append(p.rest, arg, value)
			}
		default:
			at := strings.IndexAny(arg[1:], psqlShortValued) + 1
			if at == 0 {
				p.rest = append(p.rest, arg)
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
				p.rest = append(p.rest, arg)
				if apart {
					p.rest = append(p.rest, value)
				}
				break
			}
			if at > 1 {
				p.rest = append(p.rest, arg[:at])
			}
			if err := p.connect(arg[at], value, conn); err != nil {
				return p, err
			}
		}
	}
	return p, p.words(words, conn)
}

// words are the database and the user that stand without an option.
func (p *psqlArguments) words(words []string, conn pgha.Connection) error {
	for _, w := range words {
		option := byte('d')
		switch {
		case p.database == "":
		case p.user == "":
			option = 'U'
		default:
			return usagef("psql takes a database and a user, and %q is one more", w)
		}
		if err := p.connect(option, w, conn); err != nil {
			return err
		}
	}
	return nil
}

// connect takes an option that says where to connect.
func (p *psqlArguments) connect(option byte, value string, conn pgha.Connection) error {
	switch option {
	case 'd':
		if strings.Contains(value, "=") || strings.Contains(value, "://") {
			return usagef("psql goes to the cluster: name the database alone, not a connection string; pgha-cli connection prints one for psql itself")
		}
		p.database = value
	case 'U':
		p.user = value
	case 'h':
		return usagef("psql goes to the cluster's own address, not to %q; pgha-cli query --member asks one member", value)
	case 'p':
		switch {
		case conn.ReadDSN != "" && (value == "read" || value == strconv.Itoa(conn.ReadPort)):
			p.read = true
		case value == "write" || value == strconv.Itoa(conn.Port):
			p.read = false
		default:
			return usagef("port %q is none of the cluster's: write leads to the primary, read to the replicas", value)
		}
	}
	return nil
}
