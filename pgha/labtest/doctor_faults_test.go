package labtest

import (
	"fmt"
	"time"
)

// waves are the faults of TestDoctor. Each wave leaves a quorum, a primary and a balancer.
func waves() []wave {
	return []wave{stoppedWave, frozenWave, certificateWave, fileWave, handWave, networkWave,
		sessionWave, lossWave}
}

// background starts a command that outlives the script that starts it.
func background(command string) string {
	return "setsid " + command + " </dev/null >/dev/null 2>&1 &"
}

// psqlIn runs SQL as the superuser on a host.
func psqlIn(sql string) string {
	return fmt.Sprintf(
		`cd / && runuser -u postgres -- psql -XAtq -v ON_ERROR_STOP=1 -d postgres -c "%s"`, sql)
}

// stoppedWave: somebody has stopped, masked or suspended a program, or done something to PostgreSQL
// by hand.
func stoppedWave(w *ward) []fault {
	r1, r2, lb2, lb3 := w.replicas[0], w.replicas[1], w.balancers[1], w.balancers[2]
	return []fault{
		{name: "etcd stopped", finding: "unit-stopped@" + r1 + "/etcd.service",
			make: w.in(r1, "systemctl stop etcd")},
		{
			name: "HAProxy stopped", finding: "unit-stopped@" + lb2 + "/haproxy.service",
			make: w.in(lb2, "systemctl stop haproxy"),
		},
		{
			name: "Patroni suspended (SIGSTOP)", finding: "process-frozen@" + r2,
			make: w.in(r2, `kill -STOP "$(systemctl show -P MainPID patroni)"`),
		},
		{
			name: "keepalived masked", finding: "unit-masked@" + lb3,
			make: w.in(lb3, "systemctl mask --now keepalived 2>&1"),
		},
		{
			name: "a transaction left open", finding: "long-transaction@" + w.primary,
			make: w.in(w.primary,
				"cd /; "+
					background(
						`runuser -u postgres -- psql -Xq -d postgres -c "BEGIN; SELECT pg_sleep(600)"`)),
		},
		{
			name: "ALTER SYSTEM on one member", finding: "settings-altered-by-hand@" + r2,
			make: w.in(r2, psqlIn("ALTER SYSTEM SET work_mem = '64MB'")+" && "+
				psqlIn("SELECT pg_reload_conf()")),
		},
	}
}

// frozenWave: programs that run and do nothing, or cannot start.
func frozenWave(w *ward) []fault {
	r1, lb2, lb3 := w.replicas[0], w.balancers[1], w.balancers[2]
	return []fault{
		{
			name: "PostgreSQL suspended (SIGSTOP)", finding: "postgres-hung@" + r1,
			make: w.in(r1, "kill -STOP $(head -1 /var/lib/postgresql/data/postmaster.pid)"),
		},
		{
			name: "HAProxy suspended (SIGSTOP)", finding: "process-frozen@" + lb2,
			make: w.in(lb2, "kill -STOP $(pgrep -x haproxy || ps -C haproxy -o pid=)"),
		},
		{name: "another program on HAProxy's port", finding: "port-taken@" + lb3 + "/5432",
			make: w.in(lb3, "systemctl stop haproxy && "+
				background(
					`perl -MIO::Socket::INET -e '$s = IO::Socket::INET->new(LocalPort => 5432, Listen => 5) or die; sleep 600'`)+
				" sleep 0.5; systemctl start haproxy; true")},
		{
			name:    "PostgreSQL's private key readable by all",
			finding: "postgres-key-exposed@" + w.primary,
			make:    w.in(w.primary, "chmod 644 /etc/patroni/certs/postgres-server.key"),
		},
	}
}

// certificateWave: what can be wrong with certificates. One apply mends all of them.
func certificateWave(w *ward) []fault {
	r1, r2 := w.replicas[0], w.replicas[1]
	const etcd, patroni = etcdCerts, patroniCerts
	return []fault{
		{
			name: "etcd's server certificate expired", finding: "etcd-certificate-expired@" + r1,
			make: w.certificate(r1, "etcd", etcd+"server",
				badCertificate{from: -48 * time.Hour, to: -time.Hour}),
		},
		{
			name:    "etcd's peer certificate of a foreign authority",
			finding: "etcd-certificate-untrusted@" + r2,
			make:    w.certificate(r2, "", etcd+"peer", badCertificate{to: 90 * day}),
		},
		{
			name:    "a REST certificate without the host's address",
			finding: "patroni-certificate-names@" + w.primary,
			make: w.certificate(w.primary, "patroni", patroni+"rest-server", badCertificate{
				to: 90 * day, names: []string{"elsewhere"},
			}),
		},
		{
			name:    "Patroni's client certificate not valid yet",
			finding: "patroni-certificate-not-yet-valid@" + r1,
			make: w.certificate(r1, "patroni", patroni+"rest-client", badCertificate{
				from: 24 * time.Hour, to: 90 * day,
			}),
		},
		{
			name:    "a key that is not the certificate's",
			finding: "etcd-certificate-key-mismatch@" + r2,
			make: w.certificate(r2, "etcd", patroni+"etcd-client",
				badCertificate{to: 90 * day, otherKey: true}),
		},
		{
			name: "config.yml edited", finding: "patroni-config-differs@" + r2,
			make: w.in(r2, "sed -i 's/level: INFO/level: DEBUG/' /etc/patroni/config.yml"),
		},
		{
			name:    "PostgreSQL's certificate ends in ten days",
			finding: "postgres-certificate-expiring@" + r1,
			make: w.certificate(r1, "postgres", patroni+"postgres-server", badCertificate{
				from: -300 * day, to: 10 * day,
			}),
		},
	}
}

// certificateWaves are the faults of TestDoctorOfCertificates. One apply mends all of a wave.
func certificateWaves() []wave { return []wave{keyWave, lifetimeWave, otherCertificateWave} }

const etcdCerts, patroniCerts = "/etc/etcd/certs/", "/etc/patroni/certs/"

// keyWave: certificates that are gone, and keys that others can read or their program cannot.
func keyWave(w *ward) []fault {
	r1, r2 := w.replicas[0], w.replicas[1]
	return []fault{
		{name: "the certificate of Patroni for etcd deleted",
			finding: "etcd-certificate-missing@" + r1,
			make:    w.in(r1, "rm "+patroniCerts+"etcd-client.crt")},
		{name: "a REST client's certificate deleted", finding: "patroni-certificate-missing@" + r2,
			make: w.in(r2, "rm "+patroniCerts+"rest-client.crt")},
		{name: "PostgreSQL's certificate deleted", finding: "postgres-certificate-missing@" + r2,
			make: w.in(r2, "rm "+patroniCerts+"postgres-server.crt")},
		{name: "etcd's key readable by all", finding: "etcd-key-exposed@" + w.primary,
			make: w.in(w.primary, "chmod 644 "+etcdCerts+"server.key")},
		{name: "etcd's key of another owner", finding: "etcd-key-unreadable@" + r2,
			make: w.in(r2, "chown root:root "+etcdCerts+"gateway.key")},
		{name: "a REST key readable by all", finding: "patroni-key-exposed@" + r1,
			make: w.in(r1, "chmod 644 "+patroniCerts+"rest-server.key")},
		{name: "a REST key of another owner", finding: "patroni-key-unreadable@" + w.primary,
			make: w.in(w.primary, "chown root:root "+patroniCerts+"rest-client.key")},
		{name: "PostgreSQL's key of another owner", finding: "postgres-key-unreadable@" + r1,
			make: w.in(r1, "chown root:root "+patroniCerts+"postgres-server.key")},
	}
}

// lifetimeWave: certificates that begin or end at a wrong time, or last too long.
func lifetimeWave(w *ward) []fault {
	r1, r2 := w.replicas[0], w.replicas[1]
	ended := badCertificate{from: -48 * time.Hour, to: -time.Hour}
	early := badCertificate{from: 24 * time.Hour, to: 90 * day}
	ending := badCertificate{from: -300 * day, to: 10 * day}
	long := badCertificate{to: 3000 * day}
	return []fault{
		{name: "Patroni's certificate for etcd not valid yet",
			finding: "etcd-certificate-not-yet-valid@" + r1,
			make:    w.certificate(r1, "etcd", patroniCerts+"etcd-client", early)},
		{name: "the gateway's certificate ends in ten days",
			finding: "etcd-certificate-expiring@" + w.primary,
			make:    w.certificate(w.primary, "etcd", etcdCerts+"gateway", ending)},
		{name: "a peer certificate for eight years", finding: "etcd-certificate-outdated@" + r2,
			make: w.certificate(r2, "etcd", etcdCerts+"peer", long)},
		{name: "a REST certificate expired", finding: "patroni-certificate-expired@" + r1,
			make: w.certificate(r1, "patroni", patroniCerts+"rest-server", ended)},
		{name: "a REST client's certificate ends in ten days",
			finding: "patroni-certificate-expiring@" + r2,
			make:    w.certificate(r2, "patroni", patroniCerts+"rest-client", ending)},
		{name: "a REST client's certificate for eight years",
			finding: "patroni-certificate-outdated@" + w.primary,
			make:    w.certificate(w.primary, "patroni", patroniCerts+"rest-client", long)},
		{name: "PostgreSQL's certificate expired", finding: "postgres-certificate-expired@" + r1,
			make: w.certificate(r1, "postgres", patroniCerts+"postgres-server", ended)},
		{name: "PostgreSQL's certificate not valid yet",
			finding: "postgres-certificate-not-yet-valid@" + r2,
			make:    w.certificate(r2, "postgres", patroniCerts+"postgres-server", early)},
		{name: "PostgreSQL's certificate for eight years",
			finding: "postgres-certificate-outdated@" + w.primary,
			make:    w.certificate(w.primary, "postgres", patroniCerts+"postgres-server", long)},
	}
}

// otherCertificateWave: certificates of strangers, for others, or beside another key.
func otherCertificateWave(w *ward) []fault {
	r1, r2 := w.replicas[0], w.replicas[1]
	stranger := badCertificate{to: 90 * day}
	elsewhere := badCertificate{to: 90 * day, names: []string{"elsewhere"}}
	otherKey := badCertificate{to: 90 * day, otherKey: true}
	return []fault{
		{name: "etcd's certificate without the host's address",
			finding: "etcd-certificate-names@" + r1,
			make:    w.certificate(r1, "etcd", etcdCerts+"server", elsewhere)},
		{name: "a REST client's certificate of a foreign authority",
			finding: "patroni-certificate-untrusted@" + r2,
			make:    w.certificate(r2, "", patroniCerts+"rest-client", stranger)},
		{name: "a REST key that is not the certificate's",
			finding: "patroni-certificate-key-mismatch@" + r1,
			make:    w.certificate(r1, "patroni", patroniCerts+"rest-client", otherKey)},
		{name: "PostgreSQL's certificate of a foreign authority",
			finding: "postgres-certificate-untrusted@" + r1,
			make:    w.certificate(r1, "", patroniCerts+"postgres-server", stranger)},
		{name: "PostgreSQL's key is not the certificate's",
			finding: "postgres-certificate-key-mismatch@" + r2,
			make:    w.certificate(r2, "postgres", patroniCerts+"postgres-server", otherKey)},
		{name: "PostgreSQL's certificate without the virtual IP",
			finding: "postgres-certificate-names@" + w.primary,
			make:    w.certificate(w.primary, "postgres", patroniCerts+"postgres-server", elsewhere)},
	}
}

// conditionWave: settings, rules and an account that somebody has changed, and a disk that fills.
func conditionWave(w *ward) []fault {
	r1, r2, lb2 := w.replicas[0], w.replicas[1], w.balancers[1]
	const auto = "/var/lib/postgresql/data/postgresql.auto.conf"
	return []fault{
		{name: "a rule that PostgreSQL refuses", finding: "pg-hba-invalid@" + r2,
			make: w.in(r2, "echo 'host all all nowhere' >>/var/lib/postgresql/data/pg_hba.conf")},
		{name: "a value that PostgreSQL refuses", finding: "settings-invalid@" + r1,
			make:   w.in(r1, `echo "work_mem = '64mb'" >>`+auto),
			byHand: w.in(r1, psqlIn("ALTER SYSTEM RESET work_mem"))},
		{name: "a dynamic setting changed", finding: "settings-differ",
			make: w.in(w.primary, "patronictl -c /etc/patroni/config.yml edit-config --quiet "+
				"--force -s maximum_lag_on_failover=2097152")},
		{name: "etcd's environment edited", finding: "etcd-config-differs@" + r2,
			make: w.in(r2, `echo 'ETCD_LOG_LEVEL="debug"' >>/etc/etcd/etcd.env`)},
		{name: "the account of keepalived's check removed", finding: "account-missing@" + lb2,
			make: w.in(lb2, "userdel -f keepalived_script")},
		{name: "a disk that is nearly full", finding: "disk-nearly-full@" + lb2,
			make: w.in(lb2, "mkdir -p /var/lib/small && mount -t tmpfs -o size=100m tmpfs "+
				"/var/lib/small && dd if=/dev/zero of=/var/lib/small/ballast bs=1M count=92 "+
				"status=none"),
			byHand: w.in(lb2, "rm /var/lib/small/ballast"),
			tidy:   w.in(lb2, "umount /var/lib/small")},
	}
}

// fileWave: files that were changed or lost. One apply mends all of them.
func fileWave(w *ward) []fault {
	r1, r2 := w.replicas[0], w.replicas[1]
	return []fault{
		{name: "Patroni's configuration unreadable, and restarted",
			finding: "patroni-config-invalid@" + r1,
			make: w.in(r1, "printf '  : [\\n' >>/etc/patroni/config.yml; systemctl restart "+
				"--no-block patroni")},
		{
			name: "haproxy.cfg edited", finding: "haproxy-config-differs@" + w.balancers[0],
			make: w.in(w.balancers[0], "sed -i 's/inter 500ms/inter 5s/' /etc/haproxy/haproxy.cfg"),
		},
		{
			name: "haproxy.cfg broken", finding: "haproxy-config-invalid@" + w.balancers[1],
			make: w.in(w.balancers[1], "echo '    no such directive' >>/etc/haproxy/haproxy.cfg"),
		},
		{
			name: "keepalived.conf edited", finding: "keepalived-config-differs@" + w.balancers[2],
			make: w.in(w.balancers[2], "sed -i 's/priority .*/priority 250/' "+
				"/etc/keepalived/keepalived.conf"),
		},
		{
			name: "etcd would found a new cluster", finding: "etcd-initial-state-new@" + w.primary,
			make: w.in(w.primary,
				`sed -i 's/^ETCD_INITIAL_CLUSTER_STATE=.*/ETCD_INITIAL_CLUSTER_STATE="new"/' /etc/etcd/etcd.env`),
		},
		{
			name: "a program of pgha's removed", finding: "file-differs@" + w.primary,
			make: w.in(w.primary, "rm /usr/local/lib/pgha/move-etcd-leader"),
		},
		{
			name: "the password file lost its passwords", finding: "pgpass-differs@" + w.primary,
			make: w.in(w.primary, "sed -i 's/:[^:]*$/:wrong/' /etc/patroni/pgpass"),
		},
		{
			name: "a foreign authority trusted", finding: "authority-differs@" + r2,
			make: w.certificate(r2, "", "/etc/patroni/certs/postgres-ca",
				badCertificate{to: 90 * day, noKey: true}),
		},
		{
			name: "etcd's data deleted", finding: "etcd-data-lost@" + r2,
			make: w.in(r2, "systemctl stop etcd && rm -rf /var/lib/etcd/member && systemctl "+
				"start --no-block etcd"),
		},
	}
}

// handWave: permissions, pg_hba, leftovers, an address by hand.
func handWave(w *ward) []fault {
	r1, r2, lb2, lb3 := w.replicas[0], w.replicas[1], w.balancers[1], w.balancers[2]
	return []fault{
		{
			name: "the address set by hand on a second balancer", finding: "virtual-ip-twice",
			make: w.in(lb2, "ip addr add 192.168.0.210/32 dev enp0s3"),
		},
		{
			name:    "keepalived's check not executable",
			finding: "check-script-not-executable@" + lb3,
			make:    w.in(lb3, "chmod -x /etc/keepalived/check_haproxy.sh"),
		},
		{name: "Patroni's port closed by a firewall", finding: "port-blocked@" + r1 + "/8008",
			make: w.in(r1,
				"nft add table inet stray && nft 'add chain inet stray in { type filter hook "+
					"input priority 0; }' && nft add rule inet stray in iifname enp0s3 tcp dport "+
					"8008 drop"), tidy: w.in(r1, "nft delete table inet stray")},
		{
			name: "the data directory open to others", finding: "data-directory-permissions@" + r2,
			make: w.in(r2, "chmod 755 /var/lib/postgresql/data"),
		},
		{
			name: "a line added to pg_hba.conf", finding: "pg-hba-differs@" + w.primary,
			make: w.in(w.primary, "echo 'host all all 10.0.0.0/8 trust' "+
				">>/var/lib/postgresql/data/pg_hba.conf"),
		},
		{
			name:    "the 127.0.0.1 replication line deleted",
			finding: "pg-hba-no-local-replication@" + r2,
			make: w.in(r2,
				"sed -i '/replication.*127.0.0.1/d' /var/lib/postgresql/data/pg_hba.conf && kill "+
					"-HUP $(head -1 /var/lib/postgresql/data/postmaster.pid)"),
		},
		{
			name: "the password file readable by all", finding: "pgpass-permissions@" + r1,
			make: w.in(r1, "chmod 644 /etc/patroni/pgpass"),
		},
		{
			name: "a verify that was cut off", finding: "leftover-table@" + w.primary,
			make: w.in(w.primary, psqlIn("CREATE TABLE pgha_verify_cutoff (val text)")),
		},
		{
			name: "a right of pg_rewind's role taken away", finding: "role-lacks-right@" + w.primary,
			make: w.in(w.primary, psqlIn(
				"REVOKE EXECUTE ON FUNCTION pg_read_binary_file(text) FROM rewind_user")),
		},
	}
}

// networkWave: what balancers hear of each other, disks, and what etcd stands on.
func networkWave(w *ward) []fault {
	r1, r2, lb2, lb3 := w.replicas[0], w.replicas[1], w.balancers[1], w.balancers[2]
	return []fault{
		{name: "VRRP dropped by a firewall", finding: "vrrp-blocked@" + lb3,
			make: w.in(lb3,
				"nft add table inet stray && nft 'add chain inet stray in { type filter hook "+
					"input priority 0; }' && nft add rule inet stray in ip protocol 112 drop"),
			tidy: w.in(lb3, "nft delete table inet stray")},
		{name: "a full disk", finding: "disk-full@" + lb2,
			make: w.in(lb2,
				"mkdir -p /var/lib/small && mount -t tmpfs -o size=4m tmpfs /var/lib/small && ! "+
					"dd if=/dev/zero of=/var/lib/small/ballast bs=64k status=none 2>/dev/null"),
			byHand: w.in(lb2, "rm /var/lib/small/ballast"),
			tidy:   w.in(lb2, "umount /var/lib/small")},
		{name: "a disk without inodes", finding: "inodes-exhausted@" + r2,
			make: w.in(r2,
				"mkdir -p /var/lib/few && mount -t tmpfs -o size=4m,nr_inodes=50 tmpfs "+
					"/var/lib/few && i=0; while touch /var/lib/few/$i 2>/dev/null; do "+
					"i=$((i+1)); done"),
			byHand: w.in(r2, "rm /var/lib/few/*"), tidy: w.in(r2, "umount /var/lib/few")},
		{
			name: "etcd's file system read-only", finding: "file-system-read-only@" + r1,
			make: w.in(r1, "mount --bind /var/lib/etcd /var/lib/etcd && mount -o remount,bind,ro "+
				"/var/lib/etcd"),
			tidy: w.in(r1, "umount /var/lib/etcd"),
		},
		{
			name: "etcd's data directory of another owner", finding: "etcd-data-permissions@" + r2,
			make: w.in(r2, "chown root:root /var/lib/etcd"),
		},
		{name: "the cluster left paused", finding: "paused", make: func(w *ward) {
			if out := w.cli(w.T, "pause", "--yes"); out.code != 0 {
				w.Error(out.stderr)
			}
		}},
		{name: "etcd's leader on the primary's host", finding: "etcd-leader-on-primary@" +
			w.primary,
			make: func(w *ward) {
				for _, h := range w.databases() { // only the leader itself hands it over
					w.inHost(w.T, h.Name,
						`etcdctl() { command etcdctl --cacert /etc/etcd/certs/ca.crt --cert /etc/etcd/certs/gateway.crt --key /etc/etcd/certs/gateway.key --endpoints https://127.0.0.1:2379 "$@"; }
etcdctl move-leader $(etcdctl member list | grep -F "https://`+w.address(w.primary)+
							`:2379" | cut -d, -f1)`)
				}
			}},
	}
}

// sessionWave: sessions, a server outside Patroni, a unit that does not start at boot.
func sessionWave(w *ward) []fault {
	r1, r2, lb2 := w.replicas[0], w.replicas[1], w.balancers[1]
	return []fault{
		{name: "no connection left", finding: "connections-exhausted@" + w.primary,
			make: w.in(w.primary, `cd /; mkfifo -m 666 /tmp/hold; `+
				background(`sh -c "sleep 600 >/tmp/hold"`)+
				` i=0; while [ $i -lt 97 ]; do `+
				background("runuser -u postgres -- sh -c 'psql -Xq -d postgres </tmp/hold'")+
				` i=$((i+1)); done`),
			also: []string{"replica-not-streaming"}, tidy: w.in(w.primary, "rm -f /tmp/hold")},
		{
			name: "PostgreSQL started by hand", finding: "postgres-outside-patroni@" + r1,
			make: w.in(r1,
				"systemctl stop patroni && cd / && runuser -u postgres -- "+
					"/usr/lib/postgresql/*/bin/pg_ctl start -s -w -D /var/lib/postgresql/data -l "+
					"/tmp/by-hand.log"),
		},
		{
			name: "etcd suspended (SIGSTOP)", finding: "process-frozen@" + r2,
			make: w.in(r2, `kill -STOP "$(systemctl show -P MainPID etcd)"`),
		},
		{
			name: "keepalived does not start at boot", finding: "unit-disabled@" + lb2,
			make: w.in(lb2, "systemctl disable keepalived 2>&1"),
		},
	}
}

// lossWave: a password that somebody has changed, a host without a network.
func lossWave(w *ward) []fault {
	r1, lb3 := w.replicas[0], w.balancers[2]
	// PostgreSQL chooses wal_buffers itself, so a value that was set and taken back waits for a
	// restart all the same.
	pending := psqlIn("ALTER SYSTEM SET wal_buffers = '2MB'") + " && " +
		psqlIn("SELECT pg_reload_conf(), pg_sleep(0.5)") + " && " +
		psqlIn("ALTER SYSTEM RESET wal_buffers") +
		" && " + psqlIn("SELECT pg_reload_conf()")
	return []fault{
		{
			name:    "the replication password changed by hand",
			finding: "replication-login-fails@" + w.primary,
			make:    w.in(w.primary, psqlIn("ALTER ROLE replicator PASSWORD 'somethingelse'")),
			also:    []string{"replica-not-streaming"},
		},
		{name: "a setting waits for a restart", finding: "restart-pending@" + r1,
			make: w.in(r1, pending)},
		{name: "a cable pulled", finding: "host-unreachable@" + lb3, make: func(w *ward) {
			if err := w.Cut(w.Context(), lb3); err != nil {
				w.Error(err)
			}
		}, byHand: w.plug(lb3)},
	}
}

// address is a host's own.
func (w *ward) address(host string) string {
	h, err := w.Host(host)
	if err != nil {
		w.Fatal(err)
	}
	return h.Address
}
