// Package sudo makes root of another account: [Become] decorates a [remote.Executor] so that all it
// does on its host runs through sudo. A password travels on standard input, never in arguments.
package sudo
