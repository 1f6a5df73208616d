package inspect

import (
	"encoding/json"

	"github.com/pgha/toolkit/internal/lineage"
	"github.com/pgha/toolkit/pgha/preflight"
)

// spellingPairs are more values that are read differently than they are written.
func spellingPairs() []specPair {
	return []specPair{
		{
			name: "a version in quotes", after: "version: '1'",
			refused: "is text because of its quotes",
			way:     "write 1 without quotes",
		},
		{name: "a minor version of PostgreSQL", after: "postgresql: {version: 18.1}",
			refused: "18.1", way: "write"},
		{
			name: "a comma for a point", after: "vip: {advert_interval: '1,5'}",
			refused: "is not a duration", way: "write",
		},
		{
			name: "an interface in an address", after: "hosts: {pg2: {address: 'fe80::1%eth0'}}",
			refused: "fe80::1%eth0", way: "write",
		},
		{
			name: "the zone of this machine", after: "timezone: Local",
			refused: "cannot be a time zone",
			way:     "such as Europe/Madrid",
		},
		{
			name: "a name that only some alphabets have", after: "cluster: größe",
			refused: "cannot name a cluster", way: "letters, digits",
		},
		{
			name: "a namespace without its slash", after: "patroni: {namespace: service}",
			refused: "cannot be a prefix of keys", way: "write /service/",
		},
		{
			name: "a reserved role", after: "postgresql: {rewind_user: pg_rewinder}",
			refused: "names with pg_ are PostgreSQL's own", way: "such as ha_rewinder",
		},
		{
			name: "a role that means everybody", after: "postgresql: {replication_user: public}",
			refused: "it means something else to PostgreSQL", way: "such as ha_public",
		},
	}
}

// kept is what a state directory of the base specification says of itself, at a generation.
func kept(generations int) lineage.State {
	s := lineage.State{}
	for range generations {
		s = s.Next("prod", []string{"10.0.0.11", "10.0.0.12", "10.0.0.13"})
	}
	return s
}

// remember lets every host remember a state directory.
func (s *seen) remember(t lineage.State, host ...string) {
	text, err := json.Marshal(t.Note("anna@desk"))
	if err != nil {
		panic(err)
	}
	for _, name := range host {
		s.change(name, func(f *preflight.Facts) { f.StateNote = text })
	}
}

// statePairs are copies of the state directory that must not be worked with, and some that may.
func statePairs() []specPair {
	with := func(f func(s *seen, now lineage.State)) func(*seen) {
		return func(s *seen) { s.directory = kept(3); f(s, s.directory) }
	}
	return []specPair{
		{
			name:  "the present copy",
			hosts: with(func(s *seen, now lineage.State) { s.remember(now, "pg1", "pg2", "lb3") }),
			does:  "nothing",
		},
		{name: "a host that has missed a generation", hosts: with(func(s *seen, now lineage.State) {
			s.remember(now, "pg1")
			s.directory = now.Next("prod", now.Addresses)
		}), does: "nothing"},
		{name: "an older copy, told by one balancer", hosts: with(func(s *seen, now lineage.State) {
			s.remember(now.Next("prod", now.Addresses), "lb2")
		}), refused: "the state directory is an older copy: it has generation 3, the hosts have " +
			"generation 4, written by anna@desk (told by lb2)", way: "put the copy of anna@desk"},
		{name: "two copies changed apart", hosts: with(func(s *seen, now lineage.State) {
			s.remember(now.Next("prod", now.Addresses), "pg2")
			s.directory = now.Next("prod", now.Addresses)
		}), refused: "another copy of the state directory has been changed apart",
			way: "or its newest backup"},
		{
			name:    "another cluster's directory",
			hosts:   with(func(s *seen, _ lineage.State) { s.remember(kept(3), "pg3") }),
			refused: "the hosts belong to another state directory: of cluster prod",
			way:     "point state_dir of the spec",
		},
		{
			name:  "an empty directory where hosts know another",
			hosts: func(s *seen) { s.remember(kept(9), "pg1") }, refused: "this one knows of none",
			way: "restore it from its backup",
		},
		{name: "a directory of two specifications", hosts: with(func(s *seen, _ lineage.State) {
			s.directory = lineage.State{}.Next("staging", []string{"10.0.0.11"})
		}), refused: "the state directory belongs to another cluster: staging, not prod",
			way: "a state_dir of its own"},
		{name: "a directory of other hosts", hosts: with(func(s *seen, _ lineage.State) {
			s.directory = lineage.State{}.Next("prod", []string{"10.9.0.1", "10.9.0.2"})
		}), refused: "prod on [10.9.0.1 10.9.0.2], not on", way: "a state_dir of its own"},
		{name: "a note that a later version wrote", hosts: with(func(s *seen, _ lineage.State) {
			s.change("pg1",
				func(f *preflight.Facts) {
					f.StateNote = []byte(`{"format": 99, "id": "x", "stamp": "y"}`)
				})
		}), refused: "written by a later version of pgha", way: "use that version"},
		{name: "a note that is damaged", hosts: with(func(s *seen, now lineage.State) {
			s.remember(now, "pg2")
			s.change("pg1", func(f *preflight.Facts) {
				f.StateNote = []byte(`{"format": 1, "id":`)
			})
		}), does: "nothing"},
		{
			name: "a reset that somebody killed",
			hosts: told("pg2", func(f *preflight.Facts) {
				f.UnfinishedReset = "a reset was begun and not finished"
			}),
			warns: "a reset was begun and not finished", does: "nothing",
		},
	}
}

// gettingInPairs are ways to the hosts.
func gettingInPairs() []specPair {
	return []specPair{
		{name: "another user", after: "ssh: {user: admin}", does: "ssh.user: operator"},
		{
			name: "a name that ssh connects to", after: "hosts: {pg2: {ssh: {address: " +
				"pg2.example.com}}}",
			does: "hosts[].ssh.address: operator",
		},
		{
			name: "a name that nobody can have", after: "hosts: {pg2: {ssh: {address: 'pg2 " +
				"example'}}}",
			refused: "is neither an IP address nor a host name",
			way:     "write the name or address that ssh connects to",
		},
		{
			name: "a user with a blank", after: "ssh: {user: 'the admin'}",
			refused: "cannot be a user's name", way: "such as root",
		},
		{
			name: "no session at all", after: "ssh: {max_sessions: 0}",
			refused: "0 is out of range",
			way:     "from 1 to 100",
		},
		{
			name: "an hour to connect", after: "ssh: {connect_timeout: 1h}",
			refused: "1h is out of range",
			way:     "from 1s to 5m",
		},
		{
			name:    "a fingerprint of the old kind",
			after:   "hosts: {lb1: {ssh: {host_key: 'MD5:00:11'}}}",
			refused: "is not a key's fingerprint", way: "ssh-keygen -lf",
		},
		{
			name: "a key that is not there", after: "ssh: {identity_files: [/nonexistent/key]}",
			refused: "/nonexistent/key does not exist", way: "check the path",
		},
		{
			name: "two answers to sudo's question",
			after: "ssh: {sudo_password_file: /nonexistent/pw, sudo_password_command: [pass, " +
				"show, x]}",
			refused: "only one of them can answer", way: "delete one of the two",
		},
		{
			name: "a command that is not there", after: "ssh: {passphrase_command: " +
				"[/nonexistent/pass]}",
			refused: "is not a program that this user can run", way: "check the path",
		},
		{name: "a jump to two hosts", after: "ssh: {jump: 'a,b'}", refused: "is not a jump host",
			way: "jump host"},
		{
			name: "a user who is not root", hosts: told("lb2",
				func(f *preflight.Facts) { f.Root = false }),
			refused: "commands do not run as root", way: "a user with sudo",
		},
		{
			name: "host keys that are not looked at", after: "ssh: {host_keys: off}",
			refused: "is not one of strict, accept-new", way: "write one of strict, accept-new",
		},
	}
}
