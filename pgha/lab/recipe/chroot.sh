#!/bin/sh
# Steps of the image's recipe. Each runs inside the new root file system, as
# "sh -s -- STEP ARGUMENTS" with this file on standard input.
set -eu
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
mount -t proc proc /proc

# What hosts and tests may want to install, beside PostgreSQL itself.
packages="postgresql-common patroni python3-etcd python3-dnspython
etcd-server etcd-client haproxy keepalived
pgbackrest pgbouncer needrestart acl ssl-cert locales openssl curl jq socat gnupg"

# Packages that conflict with each other are downloaded apart.
clocks="chrony systemd-timesyncd"

download() { # MIRROR SUITE POSTGRES-MAJOR
	echo "deb $1 $2 main" >/etc/apt/sources.list
	apt-get -qq update
	mkdir -p /srv/repo/pool/partial
	fetch "postgresql-$3" "postgresql-client-$3" $packages
	for package in $clocks; do fetch "$package"; done
	rm -rf /srv/repo/pool/partial /srv/repo/pool/lock
}

fetch() {
	apt-get -qq -y --download-only --no-install-recommends \
		-o Dir::Cache::archives=/srv/repo/pool install "$@"
}

# index lays both repositories out as real ones: Debian's own, and one like
# PostgreSQL's with only the packages found there.
index() { # SUITE
	codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
	mkdir -p /srv/repo/pgdg/pool
	cd /srv/repo/pool
	for deb in postgresql* patroni* libpq5*; do ln "$deb" "/srv/repo/pgdg/pool/$deb"; done
	index_suite /srv/repo "$1" Debian
	index_suite /srv/repo/pgdg "$codename-pgdg" apt.postgresql.org
}

index_suite() { # ROOT SUITE ORIGIN
	cd "$1"
	arch=$(dpkg --print-architecture)
	binary="dists/$2/main/binary-$arch"
	mkdir -p "$binary"
	apt-ftparchive packages pool >"$binary/Packages"
	gzip -9kn "$binary/Packages"
	apt-ftparchive \
		-o "APT::FTPArchive::Release::Origin=$3" -o "APT::FTPArchive::Release::Label=$3" \
		-o "APT::FTPArchive::Release::Suite=$2" -o "APT::FTPArchive::Release::Codename=$2" \
		-o "APT::FTPArchive::Release::Architectures=$arch" -o "APT::FTPArchive::Release::Components=main" \
		release "dists/$2" >/tmp/Release
	mv /tmp/Release "dists/$2/Release"
}

# configure makes the root file system the one that every host starts from.
configure() { # SUITE
	rm -f /etc/apt/sources.list /etc/apt/apt.conf.d/00build
	cat >/etc/apt/sources.list.d/lab.sources <<-EOF
		Types: deb
		URIs: file:/srv/repo
		Suites: $1
		Components: main
		Signed-By: /srv/repo/pgdg/ACCC4CF8.asc
	EOF
	rm -rf /var/lib/apt/lists/* /var/cache/apt/archives/*.deb
	apt-get -qq update
	configure_ssh
	configure_users
	configure_boot
	rm -rf /usr/share/man/* /usr/share/info/* /usr/share/doc/* /usr/share/locale/* /tmp/* /var/tmp/* /var/log/apt
}

# All connections come from one address, the wrong logins of tests too: it must
# not be locked out for them.
configure_ssh() {
	rm -f /etc/ssh/ssh_host_*
	cat >/etc/ssh/sshd_config.d/10-lab.conf <<-EOF
		HostKey /etc/ssh/ssh_host_ed25519_key
		AuthorizedKeysFile .ssh/authorized_keys /etc/ssh/lab_authorized_keys
		PermitRootLogin prohibit-password
		PasswordAuthentication no
		KbdInteractiveAuthentication no
		UseDNS no
		PerSourcePenaltyExemptList 192.168.0.1
		Match User operator
		    PasswordAuthentication yes
		Match all
	EOF
}

# admin becomes root freely; operator must give the password.
configure_users() {
	useradd --create-home --shell /bin/bash admin
	useradd --create-home --shell /bin/bash --gid operator operator
	echo 'operator:lab-operator' | chpasswd
	echo 'admin ALL=(ALL:ALL) NOPASSWD: ALL' >/etc/sudoers.d/admin
	echo 'operator ALL=(ALL:ALL) ALL' >/etc/sudoers.d/operator
	chmod 0440 /etc/sudoers.d/admin /etc/sudoers.d/operator
}

configure_boot() {
	systemctl --quiet mask apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer \
		fstrim.timer man-db.timer e2scrub_all.timer e2scrub_reap.service \
		systemd-pstore.service sshd-keygen.service
	systemctl --quiet enable ssh.service
	systemctl --quiet set-default multi-user.target
	: >/etc/machine-id
	: >/etc/resolv.conf
	ldconfig
	/usr/lib/systemd/systemd-update-done
}

"$@"
