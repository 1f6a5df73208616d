#!/usr/bin/perl
# Written by pgha. Speaks with the consoles of this host's poolers, as the account that they run as: nobody else gets in.
#   pooler state                  prints what they say of themselves, a line for each thing, its fields divided by tabs
#   pooler pause MANAGE LEAD      holds clients between transactions, once a timer is set that ends it after LEAD seconds; one
#                                 that has not managed after MANAGE seconds, and then all, serve on. Prints who did what
#   pooler pause MANAGE LEAD INSTANCE    the same for one of them
#   pooler resume                 lets clients go on, and unsets the timer
#   pooler resume INSTANCE        lets those of one go on, and leaves the timer
# Loads no module: perl begins in a tenth of the time then.
use strict;
$SIG{PIPE} = 'IGNORE';
my $account = 'pgha-pooler';
my $timer = 'pgha-pooler-resume';
my @instances = ('write', 'read');
my ($verb, $manage, $lead, $only) = @ARGV;
$| = 1;

sub now { my ($up) = split ' ', do { open(my $f, '<', '/proc/uptime') or die "uptime: $!\n"; <$f> }; $up }

# connection opens a console's session; undef where none answers.
sub connection {
	my ($instance) = @_;
	my $folder = "/run/pgha-pooler-$instance";
	opendir(my $d, $folder) or return undef;
	my ($name) = grep { /^\.s\.PGSQL\.[0-9]+$/ } readdir $d;
	return undef if !defined $name;
	socket(my $s, 1, 1, 0) or die "socket: $!\n"; # AF_UNIX, SOCK_STREAM
	return undef if !connect $s, pack 'S a*', 1, "$folder/$name\0";
	my %c = (instance => $instance, socket => $s, seen => '', rows => [], names => [], error => '', ready => 0);
	my $words = pack('N', 196608) . "user\0pgbouncer\0database\0pgbouncer\0application_name\0pgha\0\0";
	send_all(\%c, pack('N', 4 + length $words) . $words);
	return \%c;
}

sub send_all {
	my ($c, $text) = @_;
	defined syswrite $c->{socket}, $text or $c->{error} ||= "write: $!";
}

sub ask {
	my ($c, $words) = @_;
	$c->{ready} = 0;
	$c->{rows} = [];
	send_all($c, 'Q' . pack('N', 5 + length $words) . "$words\0");
}

# take understands the messages that are there whole.
sub take {
	my ($c) = @_;
	while (length $c->{seen} >= 5) {
		my ($kind, $length) = unpack 'a N', $c->{seen};
		last if length $c->{seen} < 1 + $length;
		my $body = substr $c->{seen}, 5, $length - 4;
		substr($c->{seen}, 0, 1 + $length) = '';
		if ($kind eq 'Z') { $c->{ready} = 1 }
		elsif ($kind eq 'E') { $c->{error} = join ' ', map { substr $_, 1 } grep { /^M/ } split /\0/, $body }
		elsif ($kind eq 'T') {
			my $n = unpack 'n', $body;
			my $rest = substr $body, 2;
			$c->{names} = [];
			for (1 .. $n) {
				my $name = unpack 'Z*', $rest;
				push @{$c->{names}}, $name;
				$rest = substr $rest, 1 + 18 + length $name;
			}
		} elsif ($kind eq 'D') {
			my $n = unpack 'n', $body;
			my ($at, %row) = (2);
			for my $i (0 .. $n - 1) {
				my $l = unpack 'N', substr $body, $at, 4;
				$at += 4;
				my $value = '';
				if ($l != 0xffffffff) { $value = substr $body, $at, $l; $at += $l }
				$value =~ s/[\t\n\r]/ /g;
				$row{$c->{names}[$i]} = $value;
			}
			push @{$c->{rows}}, \%row;
		}
	}
}

# await reads until every connection has its answer or the time is over, and returns those that have none.
sub await {
	my ($until, @connections) = @_;
	for (;;) {
		my @open = grep { !$_->{ready} && !$_->{gone} } @connections;
		my $left = $until - now();
		return @open if !@open || $left <= 0;
		my $wanted = '';
		vec($wanted, fileno $_->{socket}, 1) = 1 for @open;
		next if select(my $can = $wanted, undef, undef, $left) <= 0;
		for my $c (grep { vec $can, fileno $_->{socket}, 1 } @open) {
			my $n = sysread $c->{socket}, $c->{seen}, 65536, length $c->{seen};
			if (!$n) { $c->{gone} = 1; $c->{error} ||= 'it closed the connection' }
			take($c);
		}
	}
}

# consoles returns sessions with those poolers that answer within two seconds.
sub consoles {
	my @all = grep { defined } map { connection($_) } @instances;
	await(now() + 2, @all);
	return grep { $_->{ready} && !$_->{error} } @all;
}

# each_says asks every console the same and hands the rows to a function; it returns those that have not answered.
sub each_says {
	my ($words, $with, @consoles) = @_;
	ask($_, $words) for @consoles;
	my @silent = await(now() + 2, @consoles);
	for my $c (grep { $_->{ready} } @consoles) { $with->($c, @{$c->{rows}}) }
	return @silent;
}

sub say_row {
	my ($c, $kind, $row) = @_;
	print join("\t", $c->{instance}, $kind, map { "$_=$row->{$_}" } sort keys %$row), "\n";
}

sub state {
	my @consoles = consoles();
	my %answers = map { $_->{instance} => 1 } @consoles;
	for my $i (grep { !$answers{$_} } @instances) { print "$i\tsilent\n" }
	for my $words ('VERSION', 'STATE', 'DATABASES', 'POOLS') {
		each_says("SHOW $words", sub {
			my ($c, @rows) = @_;
			say_row($c, lc $words, $_) for @rows;
		}, @consoles);
	}
}

# as_root runs a program before rights are dropped, and tells whether it did well.
sub as_root {
	my @words = @_;
	system(@words) == 0;
}

sub drop_rights {
	my ($uid, $gid) = (getpwnam $account)[2, 3];
	die "there is no account $account\n" if !defined $uid;
	$( = $gid;
	$) = "$gid $gid";
	($<, $>) = ($uid, $uid);
	die "cannot become $account\n" if $< != $uid || $> != $uid;
}

# resume lets clients go on, whoever has paused them, and tells whether none is held any more. A PAUSE that has not ended is
# ended by it, too.
sub resume {
	my @consoles = consoles();
	my $held = 0;
	my $began = now();
	for (;;) {
		$held = 0;
		each_says('RESUME', sub { $_[0]{error} = '' }, @consoles); # that nothing is paused is no error here
		my @paused;
		each_says('SHOW DATABASES', sub {
			my ($c, @rows) = @_;
			push @paused, map { [$c, $_->{name}] } grep { $_->{paused} } @rows;
		}, @consoles);
		for my $p (@paused) {
			my ($c, $name) = @$p;
			$name =~ s/"/""/g;
			each_says("RESUME \"$name\"", sub { $_[0]{error} = '' }, $c);
		}
		each_says('SHOW STATE', sub {
			my ($c, @rows) = @_;
			for (@rows) { $held = 1 if $_->{key} ne 'active' && $_->{value} eq 'yes' }
		}, @consoles);
		last if !$held && !@paused || now() - $began > 3;
	}
	print "$_->{instance}\tresumed\n" for @consoles;
	return !$held && @consoles > 0;
}

# in_child does something without root's rights.
sub in_child {
	my ($what) = @_;
	my $pid = fork;
	die "fork: $!\n" if !defined $pid;
	if ($pid == 0) {
		drop_rights();
		exit($what->() ? 0 : 1);
	}
	waitpid $pid, 0;
	return $? == 0;
}

# pause asks every pooler at once.
sub pause {
	my @consoles = consoles();
	my %answers = map { $_->{instance} => 1 } @consoles;
	for my $i (grep { !$answers{$_} } @instances) { print "$i\tsilent\n" }
	return 1 if !@consoles;
	my %session;
	my %transaction;
	each_says('SHOW DATABASES', sub {
		my ($c, @rows) = @_;
		for (@rows) {
			next if $_->{name} eq 'pgbouncer' || $_->{name} eq 'pgha_lookup';
			($_->{pool_mode} eq 'session' ? \%session : \%transaction)->{$c->{instance}}{$_->{name}} = 1;
		}
	}, @consoles);
	my @asked;
	for my $c (@consoles) {
		if (!$session{$c->{instance}}) {
			ask($c, 'PAUSE');
			push @asked, $c;
			next;
		}
		# A client that keeps its session would hold up a PAUSE of all.
		print "$c->{instance}\tsession\t$_\n" for sort keys %{$session{$c->{instance}}};
		for my $name (sort keys %{$transaction{$c->{instance}}}) {
			my $other = connection($c->{instance}) or next;
			await(now() + 2, $other);
			(my $quoted = $name) =~ s/"/""/g;
			ask($other, "PAUSE \"$quoted\"");
			push @asked, $other;
		}
	}
	my @late = await(now() + $manage, @asked);
	for my $c (grep { $_->{error} } @asked) { print "$c->{instance}\trefused\t$c->{error}\n" }
	print "$_->{instance}\tlate\n" for @late;
	return !@late && !grep { $_->{error} } @asked;
}

if ($verb eq 'state') {
	exit(in_child(sub { state(); 1 }) ? 0 : 1);
} elsif ($verb eq 'resume') {
	@instances = ($manage) if defined $manage;
	my $well = in_child(\&resume);
	as_root('systemctl', 'stop', "$timer.timer") if !defined $manage && -e "/run/systemd/transient/$timer.timer";
	exit($well ? 0 : 1);
} elsif ($verb eq 'pause') {
	@instances = ($only) if defined $only;
	as_root('systemctl', 'stop', "$timer.timer") if -e "/run/systemd/transient/$timer.timer";
	# A time of the day: with --on-active systemd (262) counts from the beginning again at each daemon-reload.
	as_root('systemd-run', '--quiet', "--unit=$timer", '--description=lets the clients of the poolers go on',
		'--on-calendar=@' . (time + $lead), '--timer-property=AccuracySec=100ms', '--property=Type=oneshot',
		'/usr/local/lib/pgha/pooler', 'resume') or die "set the timer that ends the pause\n";
	my $well = in_child(\&pause);
	if (!$well) {
		in_child(\&resume);
		as_root('systemctl', 'stop', "$timer.timer");
		exit 3;
	}
	exit 0;
}
die "usage: pooler state | pause MANAGE LEAD [INSTANCE] | resume [INSTANCE]\n";
