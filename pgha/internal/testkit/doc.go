// Package testkit holds what tests of several packages share and what needs no site.
package testkit
