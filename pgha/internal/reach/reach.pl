# reach SECONDS HOST:PORT...: tries to open a TCP connection to each at once, and says of each what came of it: "ok", "no
# answer" within SECONDS, or the reason. [HOST]:PORT for IPv6; a host is an address. Needs only perl-base, and loads no module
# for IPv4: perl begins in a third of the time then.
use strict;
my $seconds = shift @ARGV;
my (%open, %said);
for my $where (@ARGV) {
	my ($host, $port) = $where =~ /^\[?(.*?)\]?:(\d+)$/ or next;
	my ($family, $address) = (2, ''); # AF_INET
	if ($host =~ /^\d+(\.\d+){3}$/) {
		$address = pack 'S n C4 x8', $family, $port, split /\./, $host;
	} else {
		require Socket;
		my ($err, $info) = Socket::getaddrinfo($host, $port, {flags => Socket::AI_NUMERICHOST(), socktype => 1});
		if ($err) { $said{$where} = "$err"; next }
		($family, $address) = @$info{qw(family addr)};
	}
	socket(my $s, $family, 1 | 2048, 0) or do { $said{$where} = "$!"; next }; # SOCK_STREAM, SOCK_NONBLOCK
	if (connect($s, $address)) { $said{$where} = 'ok' }
	elsif ($! == 115) { $open{$where} = $s } # EINPROGRESS
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
		$! = unpack('i', getsockopt($open{$where}, 1, 4)); # SOL_SOCKET, SO_ERROR
		$said{$where} = $!+0 ? "$!" : 'ok';
		delete $open{$where};
	}
}
$said{$_} = 'no answer' for keys %open;
print "$_ $said{$_}\n" for sort keys %said;
