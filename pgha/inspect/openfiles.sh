# openfiles: how many files an HAProxy of this host may open. Of one that runs the kernel knows; of another one systemd, whose
# own limit counts where it is lower, because a container may not raise it.
own() { sed -n 's/^Max open files *[^ ]* *\([0-9]*\).*/\1/p' "/proc/$1/limits"; }
read -r pid </sys/fs/cgroup/system.slice/haproxy.service/cgroup.procs && own "$pid" && exit
{ systemctl show --value --property=DefaultLimitNOFILE; own 1; } | sort -n | head -n 1
