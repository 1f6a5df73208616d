package incident

// hostTable is how the kernel, systemd 249 to 258 and sudo word it. A line about a unit counts to its component.
var hostTable = []recognizer{
	{needs: "Main process exited, code=killed", pattern: re(`Main process exited, code=killed, status=(?P<status>\S+)`), kind: UnitKilled, text: "was killed ({status})"},
	{needs: "Main process exited, code=dumped", pattern: re(`Main process exited, code=dumped, status=(?P<status>\S+)`), kind: UnitKilled, text: "crashed ({status})"},
	{needs: "Main process exited, code=exited, status=", pattern: re(`Main process exited, code=exited, status=(?P<status>[1-9]\S*)`), kind: UnitFailed, text: "ended by itself (exit code {status})"},
	{needs: "Sent signal SIGCONT", kind: UnitResumed, text: "was let go on (SIGCONT) by somebody, through systemctl"},
	{needs: "Sent signal SIG", pattern: re(`Sent signal (?P<signal>SIG\w+) to main process (?P<pid>\d+)`), kind: UnitSignalled, text: "was sent {signal} by somebody, through systemctl"},
	{needs: "killed by the OOM killer", pattern: re(`A process of this unit has been killed by the OOM killer`), kind: UnitOOM, text: "lost a process to the kernel: out of memory"},
	{needs: "Stopping ", pattern: re(`^Stopping `), kind: UnitStopping, text: "was told to stop, by systemctl or a shutdown"},
	{needs: "Stopped ", pattern: re(`^Stopped `), kind: UnitStopped, text: "has stopped"},
	{needs: "Started ", pattern: re(`^Started `), kind: UnitStarted, text: "runs"},
	{needs: "Start request repeated too quickly", pattern: re(`Start request repeated`), kind: UnitFailed, text: "was given up by systemd: it failed too often"},
	{needs: "Out of memory: Killed process", pattern: re(`Out of memory: Killed process (?P<pid>\d+) \((?P<program>[^)]+)\)`), kind: KernelOOM, text: "the kernel killed {program} (process {pid}): out of memory"},
	{needs: "Memory cgroup out of memory", pattern: re(`Killed process (?P<pid>\d+) \((?P<program>[^)]+)\)`), kind: KernelOOM, text: "the kernel killed {program} (process {pid}): its memory limit"},
	{needs: "I/O error", pattern: re(`(?P<what>.*I/O error.*)`), kind: KernelIO, text: "the kernel reports a disk error: {what}"},
	{needs: "Link is Down", pattern: re(`(?P<link>\S+): (?:NIC )?Link is Down`), kind: LinkDown, text: "the network link {link} went down"},
	{needs: "Lost carrier", pattern: re(`(?P<link>\S+): Lost carrier`), kind: LinkDown, text: "the network link {link} went down"},
	{needs: "carrier: link disconnected", pattern: re(`\((?P<link>[^)]+)\): carrier: link disconnected`), kind: LinkDown, text: "the network link {link} went down"},
	{needs: "Link is Up", pattern: re(`(?P<link>\S+): (?:NIC )?Link is Up`), kind: LinkUp, text: "the network link {link} is up"},
	{needs: "Gained carrier", pattern: re(`(?P<link>\S+): Gained carrier`), kind: LinkUp, text: "the network link {link} is up"},
	{needs: "System is rebooting", kind: HostShutdown, text: "is rebooted"},
	{needs: "System is powering down", kind: HostShutdown, text: "is shut down"},
	{needs: "System is powering off", kind: HostShutdown, text: "is shut down"},
	{needs: "Reached target shutdown.target", kind: HostShutdown, text: "is shut down"},
	{needs: "Journal stopped", kind: HostShutdown, text: "is shut down"},
	{needs: "COMMAND=", pattern: re(`^\s*(?P<user>\S+) : .*COMMAND=(?P<command>\S*(?:systemctl|patronictl|pg_ctl|kill|reboot|shutdown|poweroff)\b.*)`), kind: Commanded, text: "{user} ran {command}"},
}
