// Package serving asks running PostgreSQL servers whether they take what stands in their files,
// whether they would take a value, and whether those who must log in can.
package serving
