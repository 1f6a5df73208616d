// Package failover holds the agent that takes the leader key away from a leader whose host is lost,
// before its lease ends, and proves that it loses no acknowledged commit.
//
// The agent is Python, which Patroni brings to every database host. steps.py decides what comes
// next and does nothing itself; agent.py looks, asks etcd and sets the fence. Package model
// explores every order of the steps, simulation.py drives the real steps through random ones.
// docs/fast-failover.md has the protocol.
package failover
