// Package query runs SQL statements on chosen members.
package query
