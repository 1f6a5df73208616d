# environment UNIT: prints the environment of the process of a unit; fails if there is none.
if [ -d /sys/fs/cgroup/system.slice ]; then
	read -r pid <"/sys/fs/cgroup/system.slice/$1/cgroup.procs" && read -r name <"/proc/$pid/comm" && [ "$name" = etcd ]
else
	pid=$(systemctl show -p MainPID --value "$1") && [ "$pid" != 0 ]
fi && tr '\0' '\n' <"/proc/$pid/environ"
