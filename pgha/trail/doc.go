// Package trail records operations on the database hosts and reads the records back.
package trail
