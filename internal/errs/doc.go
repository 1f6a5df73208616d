// Package errs holds the errors that several packages return.
package errs
