package contents_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/pgha/contents"
)

// TestJudge: what cannot be done is told by field, and what can be done is not.
func TestJudge(t *testing.T) {
	t.Parallel()
	const server = `{"roles": {"app": {"login": true}, "hand": {"login": true}, "group": {}, "busy": {"sessions": 2}, "owner": {}},
		"member_of": {"group": ["deep"], "deep": ["app"]},
		"databases": {"shop": {"owner": "hand", "encoding": "UTF8", "locale": "C.UTF-8"},
			"used": {"users": ["app from 10.0.0.9", "the replication slot copy"]}, "full": {"size": 5242880}, "empty": {},
			"template": {"template": true}, "closed": {"closed": true}},
		"uses": [{"role": "owner", "database": "", "what": "owns database shop"},
			{"role": "owner", "database": "full", "what": "owns objects in database full"},
			{"role": "owner", "database": "elsewhere", "what": "owns objects in database elsewhere"}]}`
	in := []inside{
		{"shop", `{"schemas": {"public": "x", "audit": "x"}, "extensions": {"cube": {"schema": "public"}},
			"available": {"earthdistance": ["cube"], "postgis_topology": ["postgis"], "postgis": []}}`},
		{"full", `{"tables": ["public.orders", "public.lines"], "uses": [{"role": "owner", "database": "full", "what": "owns table orders"}]}`},
		{"empty", `{}`}, {"used", `{}`}, {"template", `{}`},
	}
	for name, test := range map[string]struct {
		spec string
		want []string // fields with what is wrong
	}{
		"nothing": {"roles: [{name: app}]\n", nil},
		"an owner that is nowhere": {"databases: [{name: new, owner: nobody, schemas: [{name: s, owner: none2}]}]\n",
			[]string{`databases[0].owner: there is no role "nobody", neither in the specification nor on the server`,
				`databases[0].schemas[0].owner: there is no role "none2", neither in the specification nor on the server`}},
		"an owner on the server":   {"databases: [{name: new, owner: hand}]\n", nil},
		"the superuser as owner":   {"databases: [{name: new, owner: postgres}]\n", nil},
		"a predefined role":        {"roles: [{name: app, member_of: [pg_monitor]}]\n", nil},
		"a group that is nowhere":  {"roles: [{name: app, member_of: [nobody]}]\n", []string{`roles[0].member_of[0]: there is no role "nobody", neither in the specification nor on the server`}},
		"a circle with the server": {"roles: [{name: app, member_of: [group]}]\n", []string{"roles[0].member_of: with the memberships on the server, roles would be members of each other in a circle: app of group of deep of app"}},
		"another encoding and locale": {"databases: [{name: shop, encoding: LATIN1, locale: de_DE.UTF-8}]\n",
			[]string{"databases[0].encoding: database shop has the encoding UTF8, and no database changes its own",
				"databases[0].locale: database shop has the locale C.UTF-8, and no database changes its own"}},
		"the same in other words": {"databases: [{name: shop, encoding: utf-8, locale: C.utf8}]\n", nil},
		"an extension in no schema": {"databases: [{name: shop, extensions: [{name: postgis, schema: maps}]}]\n",
			[]string{`databases[0].extensions[0].schema: there is no schema "maps" in database shop`}},
		"an extension that does not move": {"databases: [{name: shop, extensions: [{name: cube, schema: audit}]}]\n",
			[]string{"databases[0].extensions[0].schema: extension cube is in schema public, and cannot be moved"}},
		"an extension that needs another": {"databases: [{name: shop, extensions: [earthdistance, postgis_topology]}]\n",
			[]string{"databases[0].extensions[1].name: extension postgis_topology requires postgis"}},
		"which comes before it": {"databases: [{name: shop, extensions: [postgis, postgis_topology]}]\n", nil},
		"a role with sessions": {"roles: [{name: busy, ensure: absent}]\n",
			[]string{"roles[0].ensure: role busy has 2 sessions"}},
		"a role that owns things": {"roles: [{name: owner, ensure: absent}]\n",
			[]string{"roles[0].ensure: role owner is in use: it owns database shop; owns objects in database elsewhere in database elsewhere; owns table orders in database full"}},
		"what goes, too, does not count": {"roles: [{name: owner, ensure: absent}]\ndatabases: [{name: full, ensure: absent, with_tables: true}, {name: shop, owner: app}]\n",
			[]string{"roles[0].ensure: role owner is in use: it owns objects in database elsewhere in database elsewhere"}},
		"a database with sessions": {"databases: [{name: used, ensure: absent}]\n",
			[]string{"databases[0].ensure: database used is in use: app from 10.0.0.9, the replication slot copy"}},
		"a database with tables": {"databases: [{name: full, ensure: absent}]\n",
			[]string{"databases[0].ensure: database full has 2 tables (public.orders, public.lines), 5 MB"}},
		"with them":         {"databases: [{name: full, ensure: absent, with_tables: true}]\n", nil},
		"without tables":    {"databases: [{name: empty, ensure: absent}, {name: never, ensure: absent}]\n", nil},
		"a template":        {"databases: [{name: template, ensure: absent}]\n", []string{"databases[0].ensure: database template is a template"}},
		"one nobody enters": {"databases: [{name: closed, ensure: absent}]\n", []string{"databases[0].ensure: nobody may connect to database closed, so what is in it is not known"}},
		"access": {"roles: [{name: app}]\ndatabases: [{name: own}]\naccess:\n  - {role: app, database: own}\n  - {role: hand, database: shop}\n" +
			"  - {role: nobody, database: all}\n  - {role: app, database: nowhere}\n  - {role: group, database: shop}\n",
			[]string{`access[2].role: there is no role "nobody", neither in the specification nor on the server`,
				`access[3].database: there is no database "nowhere", neither in the specification nor on the server`,
				"access[4].role: role group does not log in"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, p := range contents.Judge(specified(t, test.spec), read(t, server, in...)) {
				got = append(got, p.Field+": "+p.Problem)
				if p.Remedy.IsZero() {
					t.Errorf("%s has no remedy", p.Field)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestForeignPassword: nobody's password is replaced by a generated one without a word.
func TestForeignPassword(t *testing.T) {
	t.Parallel()
	s := read(t, `{"roles": {"app": {"login": true}}}`)
	s.Roles["app"] = contents.Role{Login: true, Password: contents.PasswordUnknown}
	problems := contents.Judge(specified(t, "roles: [{name: app}]\n"), s)
	if len(problems) != 1 || problems[0].Field != "roles[0].name" ||
		len(problems[0].Remedy.Calls()) != 1 {
		t.Errorf("%+v", problems)
	}
	if problems := contents.Judge(specified(t, "roles: [{name: app, login: false}]\n"),
		s); len(problems) > 0 {
		t.Errorf("without a login: %+v", problems)
	}
}

func TestToAsk(t *testing.T) {
	t.Parallel()
	sp := specified(t, "roles: [{name: gone, ensure: absent}]\ndatabases: [{name: a}, {name: b, schemas: [s]}, {name: c, ensure: absent}, {name: new, schemas: [s]}, {name: closed, schemas: [s]}]\n")
	s := read(t, `{"databases": {"a": {}, "b": {}, "c": {}, "closed": {"closed": true}}, "uses": [{"role": "gone", "database": "d"}, {"role": "gone", "database": ""}]}`)
	if diff := cmp.Diff([]string{"b", "c", "d"}, contents.ToAsk(sp, s)); diff != "" {
		t.Error(diff)
	}
}

func TestBundled(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{"pg_trgm": true, "uuid-ossp": true, "postgis": false,
		"plpython3u": false, "": false} {
		if contents.Bundled(name) != want {
			t.Errorf("%q: %t", name, !want)
		}
	}
}
