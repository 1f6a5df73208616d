package pgsession

import "strings"

// Literal quotes a text for SQL; sessions have standard_conforming_strings on.
func Literal(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

// Identifier quotes a name for SQL.
func Identifier(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
