# Answers on ports and sends VRRP, so that a port matrix can be checked before anything listens. Needs only perl-base, which
# every Debian host has.
#   listen SECONDS TOKEN ADDRESS PORT...  answers on every port that is free, in the family of ADDRESS, and hears VRRP when a
#                                   port is "vrrp", until standard input ends or SECONDS are over; then prints
#                                   "vrrp ADDRESS" for each sender.
#   send 0 TOKEN ADDRESS...         sends VRRP packets with TOKEN to each address, where this user may.
use strict;
use warnings;
use Socket qw(:DEFAULT inet_pton inet_ntop IPPROTO_IPV6 IPV6_V6ONLY);
use Errno qw(EADDRINUSE);
$| = 1;
my ($mode, $seconds, $token, @args) = @ARGV;
my $end = time + $seconds;

# family of an address, and the socket address of a port there.
sub family { return $_[0] =~ /:/ ? AF_INET6 : AF_INET }
sub end_point { my ($host, $port) = @_;
	return family($host) == AF_INET6 ? sockaddr_in6($port, inet_pton(AF_INET6, $host)) : sockaddr_in($port, inet_aton($host)); }

sub readable { my ($wait, @fh) = @_; my $bits = ''; vec($bits, fileno($_), 1) = 1 for @fh;
	select(my $ready = $bits, undef, undef, $wait); return grep { vec($ready, fileno($_), 1) } @fh; }

if ($mode eq 'listen') {
	my (@tcp, $vrrp, %heard);
	my $six = family(shift @args) == AF_INET6;
	my $domain = $six ? PF_INET6 : PF_INET;
	for my $port (@args) {
		if ($port eq 'vrrp') { socket($vrrp, $domain, SOCK_RAW, 112) or undef $vrrp; next }
		socket(my $s, $domain, SOCK_STREAM, 0) or die "socket: $!";
		setsockopt($s, SOL_SOCKET, SO_REUSEADDR, 1);
		setsockopt($s, IPPROTO_IPV6, IPV6_V6ONLY, 1) if $six;
		if (!bind($s, end_point($six ? '::' : '0.0.0.0', $port))) { die "bind $port: $!" unless $! == EADDRINUSE; print "busy $port\n"; next }
		listen($s, 64) or die "listen $port: $!";
		push @tcp, $s;
	}
	print "ready\n";
	while (time < $end) {
		for my $fh (readable(1, @tcp, \*STDIN, $vrrp ? $vrrp : ())) {
			if ($vrrp && $fh == $vrrp) {
				my $from = recv($vrrp, my $packet, 2000, 0);
				next unless defined $from && index($packet, $token) >= 0;
				$heard{$six ? inet_ntop(AF_INET6, (sockaddr_in6($from))[1]) : inet_ntoa((sockaddr_in($from))[1])} = 1;
			} elsif ($fh == \*STDIN) { $end = 0 unless sysread(STDIN, my $x, 100) }
			else { my $c; accept($c, $fh) and syswrite($c, "$token\n") and close $c }
		}
	}
	print "vrrp $_\n" for sort keys %heard;
} else {
	for my $host (@args) {
		socket(my $s, family($host), SOCK_RAW, 112) or next;
		for (1 .. 3) { send($s, $token, 0, end_point($host, 0)); select(undef, undef, undef, 0.05) }
	}
}
