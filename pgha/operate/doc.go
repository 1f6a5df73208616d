// Package operate moves the leadership and acts on members: switchover, failover, restart,
// reinitialize, pause, reload and the synchronous mode.
package operate
