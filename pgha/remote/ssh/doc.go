// Package ssh reaches hosts over SSH: [Dial] connects to a host's sshd, and the [Conn] that it
// returns is a [remote.Executor], a [remote.Dialer] and a [remote.Streamer].
//
// Who to be and which host key to expect is in [Config]. Keys come from files and from an agent; a
// host key is pinned, or looked up in known_hosts files, and an unknown one is refused unless
// AcceptNew is set. A host behind another is reached through Config.Jump. Any account but root runs
// its commands through sudo.
package ssh
