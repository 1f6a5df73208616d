package pgsession

import "strings"

// Literal quotes a text for SQL; sessions have standard_conforming_strings on.
func Literal(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

// Identifier quotes a name for SQL.
func Identifier(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// PassFileLine is a line of a libpq password file for every server and database.
func PassFileLine(role, password string) string {
	return "*:*:*:" + PassFileField(role) + ":" + PassFileField(password)
}

// PassFileField escapes a field of a libpq password file.
func PassFileField(s string) string { return strings.NewReplacer(`\`, `\\`, ":", `\:`).Replace(s) }
