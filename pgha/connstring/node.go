package connstring

import (
	"fmt"
	"net/netip"
	"strings"
)

// nodeSilent: Node asks ten times, a second apart, once nothing was heard for keepIdle.
const nodeSilent = keepIdle + 10

const nodeNote = "an object and not a URL: only ssl.host has every version compare the certificate " +
	"with an address, and code alone takes a password from a file"

// nodePostgres is the configuration of node-postgres. It knows one host.
func nodePostgres(w target) string {
	return fmt.Sprintf("{host: %s, port: %d, user: %s, database: %s, ssl: %s, password: %s, "+
		"connectionTimeoutMillis: %d, keepAlive: true, keepAliveInitialDelayMillis: %d}",
		quoteC(w.hosts[0]), w.port, quoteC(w.user), quoteC(w.database), w.nodeTLS(),
		w.nodePassword(), connect*1000, keepIdle*1000)
}

// postgresJS is the configuration of postgres.js.
func postgresJS(w target) string {
	return fmt.Sprintf("{host: %s, port: %d, user: %s, database: %s, ssl: %s, password: %s, "+
		"connect_timeout: %d, keep_alive: %d}",
		quoteC(w.hosts[0]), w.port, quoteC(w.user), quoteC(w.database), w.nodeTLS(),
		w.nodePassword(), connect, keepIdle)
}

// nodeTLS names the authority, and the address that the certificate has to be for: Node would
// compare that of an address with "localhost".
func (w target) nodeTLS() string {
	host := ""
	if _, err := netip.ParseAddr(w.hosts[0]); err == nil {
		host = ", host: " + quoteC(w.hosts[0])
	}
	return "{ca: fs.readFileSync(" + quoteC(w.ca) + ")" + host + "}"
}

func (w target) nodePassword() string {
	file := w.passwordFile
	if file == "" {
		file = placeholder
	}
	return "() => fs.readFileSync(" + quoteC(file) + `, "utf8").trimEnd()`
}

// unfitForNode: node-postgres knows one host, and postgres.js can verify one address alone.
func unfitForNode(w target) string {
	if len(w.hosts) == 1 {
		return ""
	}
	return "the driver cannot find the primary among several databases and verify it; it needs a " +
		"balancer"
}

// javascript is a module with the object in its place.
func javascript(code string) func(target, string) string {
	return func(_ target, text string) string {
		return "import fs from \"node:fs\"\n" + strings.Replace(code, "%s", text, 1)
	}
}
