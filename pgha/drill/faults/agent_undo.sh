# agent_undo: ends the watch of agent.sh, and lets an agent go on that was stopped by it.
systemctl stop pgha-drill-agent-watch 2>/dev/null || :
systemctl kill --signal=CONT --kill-whom=main pgha-failover 2>/dev/null || :
