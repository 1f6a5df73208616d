// Package connstring renders connection strings for every driver from a specification, and exports
// the files that they name.
package connstring
