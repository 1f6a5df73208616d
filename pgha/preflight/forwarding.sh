# forwarding USER: prints, as FILE:LINE:TEXT, what sshd's configuration and the options of USER's keys say about forwarding.
grep -nHiE '^[[:space:]]*(AllowTcpForwarding|DisableForwarding|PermitOpen)[[:space:]]' /etc/ssh/sshd_config /etc/ssh/sshd_config.d/*.conf
home=$(getent passwd "$1" | cut -d: -f6)
grep -noE '(^|,)(restrict|no-port-forwarding|permitopen="[^"]*")' "$home/.ssh/authorized_keys" | sed "s|^|$home/.ssh/authorized_keys:|"
