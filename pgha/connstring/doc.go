// Package connstring renders connection strings for libpq, URLs and JDBC from a specification.
package connstring
