package hba

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pgha/toolkit/internal/suggest"
)

// option is a name that may follow a way to log in, and with which of them.
type option struct {
	name    string
	methods []string
	values  []string // nil: any
}

// options are those of PostgreSQL's documentation of pg_hba.conf, 14 to 18. Those without methods
// belong to hostssl.
var options = []option{
	{"clientcert", nil, []string{"verify-ca", "verify-full"}},
	{"clientname", nil, []string{"CN", "DN"}},
	{"map", []string{"ident", "peer", "gss", "sspi", "cert", "oauth"}, nil},
	{"include_realm", []string{"gss", "sspi"}, []string{"0", "1"}},
	{"krb_realm", []string{"gss", "sspi"}, nil},
	{"compat_realm", []string{"sspi"}, nil},
	{"upn_username", []string{"sspi"}, nil},
	{"pamservice", []string{"pam"}, nil},
	{"pam_use_hostname", []string{"pam"}, []string{"0", "1"}},
	{"ldapserver", []string{"ldap"}, nil},
	{"ldapport", []string{"ldap"}, nil},
	{"ldapscheme", []string{"ldap"}, []string{"ldap", "ldaps"}},
	{"ldaptls", []string{"ldap"}, []string{"0", "1"}},
	{"ldapurl", []string{"ldap"}, nil},
	{"ldapprefix", []string{"ldap"}, nil},
	{"ldapsuffix", []string{"ldap"}, nil},
	{"ldapbasedn", []string{"ldap"}, nil},
	{"ldapbinddn", []string{"ldap"}, nil},
	{"ldapbindpasswd", []string{"ldap"}, nil},
	{"ldapsearchattribute", []string{"ldap"}, nil},
	{"ldapsearchfilter", []string{"ldap"}, nil},
	{"radiusservers", []string{"radius"}, nil},
	{"radiussecrets", []string{"radius"}, nil},
	{"radiusports", []string{"radius"}, nil},
	{"radiusidentifiers", []string{"radius"}, nil},
	{"issuer", []string{"oauth"}, nil},
	{"scope", []string{"oauth"}, nil},
	{"validator", []string{"oauth"}, nil},
	{"delegate_ident_mapping", []string{"oauth"}, []string{"0", "1"}},
}

// login judges the method of a rule and its options. Values are not quoted: they may be secrets.
func login(kind, method string, words []string, version int) (problem, remedy string) {
	known := []string{"trust", "reject", "md5", "password", "scram-sha-256", "gss", "sspi", "ident",
		"peer", "pam", "ldap", "cert", "radius"}
	if version >= 18 {
		known = append(known, "oauth")
	}
	local := kind == "local"
	switch {
	case !slices.Contains(known, method):
		remedy := "write one of " + strings.Join(known, ", ")
		if near := suggest.Nearest(method, known); near != "" {
			remedy = "did you mean " + near + "?"
		}
		return fmt.Sprintf("%q is not a way to log in", method), remedy
	case method == "peer" && !local:
		return "peer works for local rules only", "write scram-sha-256 or cert"
	case method == "cert" && kind != "hostssl":
		return "cert works for hostssl rules only", "write hostssl"
	case method == "gss" && local:
		return "gss does not work for local rules", "write peer"
	case method == "sspi":
		return "sspi works on Windows only", "write gss"
	}
	given := map[string]string{}
	for _, word := range words {
		name, value, ok := strings.Cut(word, "=")
		if !ok {
			return fmt.Sprintf("%q after the way to log in is no option of the form name=value",
					firstLetters(word)),
				"write name=value, or leave it out"
		}
		if problem, remedy := judgeOption(kind, method, name, value); problem != "" {
			return problem, remedy
		}
		given[name] = value
	}
	return needs(method, given)
}

// firstLetters keeps what may be a secret out of a message.
func firstLetters(word string) string {
	if len(word) > 12 {
		return word[:12] + "..."
	}
	return word
}

func judgeOption(kind, method, name, value string) (problem, remedy string) {
	var all []string
	for _, o := range options {
		if all = append(all, o.name); o.name != name {
			continue
		}
		switch {
		case o.methods == nil && kind != "hostssl":
			return name + " belongs to hostssl rules", "write hostssl, or leave it out"
		case o.methods != nil && !slices.Contains(o.methods, method):
			return fmt.Sprintf("%s does not belong to %s", name, method),
				"leave it out: it is for " + strings.Join(o.methods, ", ")
		case o.values != nil && !slices.Contains(o.values, value):
			return fmt.Sprintf("%s has a value that PostgreSQL does not take", name),
				"write " + name + "=" + strings.Join(o.values, " or "+name+"=")
		case name == "clientcert" && method == "cert" && value == "verify-ca":
			return "clientcert=verify-ca contradicts cert, which compares the name as well",
				"leave it out"
		case value == "" && name != "ldapprefix" && name != "ldapsuffix":
			return name + " has no value", "write one behind the =, or leave it out"
		}
		return "", ""
	}
	if near := suggest.Nearest(name, all); near != "" {
		return fmt.Sprintf("%q is no option of a rule", name), "did you mean " + near + "?"
	}
	return fmt.Sprintf("%q is no option of a rule", name), "leave it out"
}

// needs says which options are missing beside those that are given, or contradict each other.
func needs(method string, given map[string]string) (problem, remedy string) {
	has := func(names ...string) bool {
		return slices.ContainsFunc(names, func(n string) bool { _, ok := given[n]; return ok })
	}
	switch {
	case method == "ldap" && !has("ldapserver", "ldapurl", "ldapbasedn"):
		return "ldap names no server", "add ldapserver=... and ldapbasedn=..., or ldapprefix=..."
	case method == "ldap" && !has("ldapbasedn", "ldapprefix", "ldapsuffix", "ldapurl"):
		return "ldap does not say how a user's name is looked up",
			"add ldapbasedn=..., ldapprefix=... or ldapsuffix=..."
	case method == "ldap" && has("ldapprefix", "ldapsuffix") && has("ldapbasedn", "ldapbinddn",
		"ldapbindpasswd", "ldapsearchattribute", "ldapsearchfilter", "ldapurl"):
		return "ldapprefix and ldapsuffix contradict the options that search",
			"keep one kind of the two"
	case method == "ldap" && has("ldapsearchattribute") && has("ldapsearchfilter"):
		return "ldapsearchattribute and ldapsearchfilter contradict each other",
			"keep one of the two"
	case method == "radius" && !has("radiusservers"):
		return "radius names no server", "add radiusservers=... and radiussecrets=..."
	case method == "radius" && !has("radiussecrets"):
		return "radius has no secret for its server", "add radiussecrets=..."
	case method == "oauth" && !has("issuer"):
		return "oauth names no issuer", "add issuer=... and scope=..."
	case method == "oauth" && !has("scope"):
		return "oauth names no scope", "add scope=..."
	}
	servers := strings.Count(given["radiusservers"], ",")
	for _, name := range []string{"radiussecrets", "radiusports", "radiusidentifiers"} {
		if n := strings.Count(given[name], ","); method == "radius" && has(name) && n != 0 &&
			n != servers {
			return fmt.Sprintf("%s has %d parts for %d servers", name, n+1, servers+1),
				"give one, or one for each server"
		}
	}
	return "", ""
}
