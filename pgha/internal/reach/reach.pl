# reach SECONDS HOST:PORT...: tries to open a TCP connection to each at once, and says of each what came of it: "ok", "no
# answer" within SECONDS, or the reason. [HOST]:PORT for IPv6; a host is an address. Needs only perl-base.
use strict; use warnings; use Socket qw(:DEFAULT :addrinfo); use IO::Handle; use Errno; use Fcntl;
my $seconds = shift @ARGV;
my (%open, %said);
for my $where (@ARGV) {
	my ($host, $port) = $where =~ /^\[?(.*?)\]?:(\d+)$/ or next;
	my ($err, $info) = getaddrinfo($host, $port, {flags => AI_NUMERICHOST, socktype => SOCK_STREAM});
	if ($err) { $said{$where} = "$err"; next }
	socket(my $s, $info->{family}, SOCK_STREAM, 0) or do { $said{$where} = "$!"; next };
	fcntl($s, F_SETFL, O_NONBLOCK);
	if (connect($s, $info->{addr})) { $said{$where} = 'ok' }
	elsif ($!{EINPROGRESS}) { $open{$where} = $s }
	else { $said{$where} = "$!" }
}
# Linux tells how much of the time is left.
while (%open && $seconds > 0) {
	my $bits = '';
	vec($bits, fileno($_), 1) = 1 for values %open;
	(my $n, $seconds) = select(undef, my $ready = $bits, undef, $seconds);
	last unless $n > 0;
	for my $where (keys %open) {
		next unless vec($ready, fileno($open{$where}), 1);
		$! = unpack('i', getsockopt($open{$where}, SOL_SOCKET, SO_ERROR));
		$said{$where} = $!+0 ? "$!" : 'ok';
		delete $open{$where};
	}
}
$said{$_} = 'no answer' for keys %open;
print "$_ $said{$_}\n" for sort keys %said;
