#!/usr/bin/perl
# Written by pgha. Ends the sessions of HAProxy's former workers whose server is down. A reload starts a new worker, and the
# former one goes on with its sessions until they end, but checks no server any more: nobody else would end a session to a
# primary that has no power, hangs, or is none any more. What is down the present worker says, which ends its own sessions.
#
# Arguments: the present worker's socket, the master's. Runs until no former worker is left, and ten seconds at least,
# for a new worker may yet be on its way. Ends with an error where HAProxy does not answer; systemd starts it again.
use strict; use warnings; use IO::Socket::UNIX;
my ($present, $master) = @ARGV;

sub ask {
	my ($path, $words) = @_;
	my $s = IO::Socket::UNIX->new(Type => SOCK_STREAM, Peer => $path) or die "connect $path: $!\n";
	alarm 10;
	print $s "$words\n" or die "write $path: $!\n";
	$s->flush;
	$s->shutdown(1); # the master answers at the end of what it is asked
	my @lines = <$s>;
	alarm 0;
	return @lines;
}

# former are the processes below "# old workers".
sub former {
	my ($old, @all);
	for (ask($master, 'show proc')) {
		$old = /^# old workers/ if /^#/;
		push @all, $1 if $old && /^(\d+)\s+worker/;
	}
	return @all;
}

# down are the servers that the present worker holds down, as "proxy/server".
sub down {
	my %down;
	for (ask($present, 'show stat -1 4 -1')) {
		my @field = split /,/;
		$down{"$field[0]/$field[1]"} = 1 if @field > 17 && $field[17] =~ /^(DOWN|MAINT)/;
	}
	return %down;
}

# end ends a process's sessions with servers. A leaving worker takes no "shutdown sessions server", but each by its number.
sub end {
	my ($process, %servers) = @_;
	my %sessions;
	for (ask($master, "\@!$process show sess")) {
		next if !/^(0x[0-9a-f]+): .* be=(\S+) srv=(\S+)/ || !$servers{"$2/$3"};
		push @{$sessions{"$2/$3"}}, $1;
	}
	for my $server (sort keys %sessions) {
		ask($master, join ';', map { "\@!$process shutdown session $_" } @{$sessions{$server}});
		printf "ended %d sessions of the former worker %d with %s, which is down\n", scalar @{$sessions{$server}}, $process, $server;
	}
}

$| = 1;
my $least = time + 10;
my %ended; # by process: the servers whose sessions have been ended, until they are up again
while (1) {
	my @former = former();
	last if !@former && time > $least;
	my %down = @former ? down() : ();
	for my $process (@former) {
		my $known = $ended{$process} // {};
		my %new = map { $_ => 1 } grep { !$known->{$_} } keys %down;
		end($process, %new) if %new;
		$ended{$process} = {%down};
	}
	select undef, undef, undef, 0.5;
}
