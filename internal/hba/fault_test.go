package hba

import (
	"strings"
	"testing"
)

// TestFault: what PostgreSQL 18.6 says of these was looked at with its own program.
func TestFault(t *testing.T) {
	t.Parallel()
	for _, rule := range []string{
		"local all all peer", "local all all peer map=pgha", "host all all all reject",
		"hostssl all all 0.0.0.0/0 scram-sha-256",
		"hostssl shop app 10.0.0.5 255.255.255.255 scram-sha-256",
		"hostssl all all ::1/128 cert map=x", "hostssl all all samenet scram-sha-256 " +
			"clientcert=verify-full",
		"hostssl all all .example.com scram-sha-256",
		"hostssl all all db.example.com scram-sha-256",
		"hostssl all all 10.0.0.7/8 scram-sha-256",
		`hostssl "my shop" "+staff" 10.0.0.0/8 scram-sha-256`,
		"hostssl all all 10.0.0.0/8 ldap ldapserver=a ldapprefix=x",
		"hostssl all all 10.0.0.0/8 ldap ldapserver=a ldapbasedn=y",
		`hostssl all all 10.0.0.0/8 ldap ldapurl="ldap://a/dc=x?uid?sub"`,
		"hostssl all all 10.0.0.0/8 gss include_realm=1 krb_realm=X",
		"hostssl all all 10.0.0.0/8 radius radiusservers=10.0.0.1 radiussecrets=s",
		"hostssl all all 10.0.0.0/8 pam pamservice=pg",
		"hostssl all all 10.0.0.0/8 oauth issuer=https://a scope=b",
	} {
		if problem, _ := Fault(rule, 18); problem != "" {
			t.Errorf("Fault(%q) = %q", rule, problem)
		}
	}
	for rule, want := range map[string]string{
		"hostssl all all 10.0.0.1 scram-sha-256":                                 "no mask",
		"hostssl all all 10.0.0.0/33 scram-sha-256":                              "0 to 32 bits",
		"hostssl all all 10.0.0.0/-1 scram-sha-256":                              "0 to 32 bits",
		"hostssl all all 10.0.0.0/ scram-sha-256":                                "0 to 32 bits",
		"hostssl all all fe80::/129 scram-sha-256":                               "0 to 128 bits",
		"hostssl all all 10.0.0/8 scram-sha-256":                                 "name with a network's prefix",
		"hostssl all all 10.0.0.256 scram-sha-256":                               "not an address",
		"hostssl all all host.example.com/24 scram-sha-256":                      "name with a network's prefix",
		"hostssl all all 10.0.0.0 255.0.255.0 scram-sha-256":                     "gaps",
		"hostssl all all 10.0.0.0 ffff:: scram-sha-256":                          "family",
		"hostssl all all 10.0.0.0/8 ldap":                                        "names no server",
		"hostssl all all 10.0.0.0/8 ldap ldapserver=a":                           "looked up",
		"hostssl all all 10.0.0.0/8 ldap ldapserver=a ldapprefix=x ldapbasedn=y": "contradict",
		"hostssl all all 10.0.0.0/8 scram-sha-256 foo=bar":                       `"foo" is no option`,
		"hostssl all all 10.0.0.0/8 scram-sha-256 clientcrt=verify-ca":           `"clientcrt" is no option`,
		"hostssl all all 10.0.0.0/8 scram-sha-256 map=x":                         "does not belong",
		"hostssl all all 10.0.0.0/8 scram-sha-256 clientcert":                    "name=value",
		"hostssl all all 10.0.0.0/8 cert clientcert=no-verify":                   "does not take",
		"hostssl all all 10.0.0.0/8 cert clientcert=verify-ca":                   "contradicts cert",
		"host all all 10.0.0.0/8 scram-sha-256 clientcert=verify-full":           "hostssl",
		"host all all 10.0.0.0/8 cert":                                           "hostssl",
		"local all all cert":                                                     "hostssl",
		"local all all gss":                                                      "local",
		"hostssl all all 10.0.0.0/8 peer":                                        "local rules only",
		"hostssl all all 10.0.0.0/8 scram":                                       "not a way to log in",
		"hostssl all all 10.0.0.0/8 radius radiusservers=a":                      "no secret",
		"hostssl all all 10.0.0.0/8 radius radiussecrets=a":                      "no server",
		"hostssl all all 10.0.0.0/8 radius radiusservers=a radiussecrets=b,c":    "2 parts for 1 servers",
		"hostssl all all 10.0.0.0/8 oauth":                                       "no issuer",
		"hostssl all all 10.0.0.0/8":                                             "too few words",
		"hostssl all all scram-sha-256":                                          "too few words",
		"hostall all all 10.0.0.0/8 scram-sha-256":                               "kind of rule",
		"include /etc/x": "kind of rule",
		"hostssl all all 10.0.0.0/8 gss include_realm=yes":                              "does not take",
		"hostssl all all 10.0.0.0/8 ldap ldapserver=a ldapprefix=x ldapscheme=starttls": "does not take",
	} {
		problem, remedy := Fault(rule, 18)
		if !strings.Contains(problem, want) || remedy == "" {
			t.Errorf("Fault(%q) = %q, %q; want %q in it and a remedy", rule, problem, remedy, want)
		}
	}
	if problem, _ := Fault("hostssl all all all oauth issuer=a scope=b", 17); problem == "" {
		t.Error("PostgreSQL 17 has no oauth")
	}
}
