// Package remotetest helps to test code that works on hosts without any host: a strict fake
// Executor, an SSH server inside the test's own process whose faults can be chosen, and the
// conformance suite that every Executor must pass.
package remotetest
