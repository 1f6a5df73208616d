package incident

// haproxyTable is how HAProxy 2.4 to 3.2 word it. It says everything twice, to the journal and to
// standard error with a prefix; the second one joins the first.
var haproxyTable = []recognizer{
	{needs: " is DOWN",
		pattern: re(`Server (?P<backend>[^/\s]+)/(?P<server>\S+) is DOWN, reason: (?P<why>[^,]+)`),
		kind:    BackendDown, text: "no longer sends {backend} to {server}: {why}"},
	{needs: " is UP",
		pattern: re(`Server (?P<backend>[^/\s]+)/(?P<server>\S+) is UP, reason: (?P<why>[^,]+)`),
		kind:    BackendUp, text: "sends {backend} to {server}"},
	{needs: "has no server available",
		pattern: re(`proxy '?(?P<backend>[^\s']+)'? has no server available`),
		kind:    BackendEmpty, text: "has nobody left for {backend}"},
}

// keepalivedTable is how keepalived 2.2 and 2.3 word it.
var keepalivedTable = []recognizer{
	{needs: "Entering MASTER STATE", kind: AddressTaken, text: "took the virtual IP"},
	{needs: "Entering BACKUP STATE", kind: AddressLeft, text: "stands by for the virtual IP"},
	{needs: "Entering FAULT STATE", kind: AddressFault,
		text: "gave the virtual IP up: not fit to carry it"},
	{needs: "Master received advert from",
		pattern: re(`Master received advert from (?P<address>\S+) with higher priority`),
		kind:    AddressYielded, text: "yields the virtual IP to {address}"},
	{needs: "received lower priority", kind: LowerAdvert,
		text: "hears a balancer of lower priority carry the virtual IP"},
	{needs: "VRRP_Script(",
		pattern: re(`VRRP_Script\((?P<script>[^)]+)\) failed(?: \((?P<why>[^)]*)\))?`),
		kind:    CheckFailed, text: "its check of HAProxy failed"},
	{needs: "VRRP_Script(", pattern: re(`VRRP_Script\((?P<script>[^)]+)\) (?:timed_out|timed out)`),
		kind: CheckFailed, text: "its check of HAProxy timed out"},
	{needs: "VRRP_Script(", pattern: re(`VRRP_Script\((?P<script>[^)]+)\) succeeded`),
		kind: CheckPassed,
		text: "its check of HAProxy passes"},
}
