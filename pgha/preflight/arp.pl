# Asks the network of INTERFACE by ARP who has ADDRESS, without claiming it (RFC 5227: the probe has no sender's address), and
# prints the hardware address of whoever answers. Asks twice and waits for 0.6 s at most. Needs only perl-base, and root.
use strict;
use warnings;
use Socket;
my ($address, $interface) = @ARGV;
sub of_interface {
	open my $file, '<', "/sys/class/net/$interface/$_[0]" or exit 0;
	chomp(my $line = <$file>);
	return $line;
}
my $wanted = inet_aton($address) // exit 0;
exit 0 unless of_interface('type') == 1; # Ethernet
my $own = pack 'H12', of_interface('address') =~ s/://gr;
my $arp = 0x0806;
# struct sockaddr_ll of packet(7), to everybody.
my $everybody = pack 'S n i S C C a8', 17, $arp, of_interface('ifindex'), 0, 0, 6, "\xff" x 6;
socket(my $s, 17, SOCK_DGRAM, unpack('S', pack('n', $arp))) or die "socket: $!";
bind($s, $everybody) or die "bind: $!";
my $probe = pack 'n n C C n a6 a4 a6 a4', 1, 0x0800, 6, 4, 1, $own, "\0" x 4, "\0" x 6, $wanted;
for (1 .. 2) {
	send($s, $probe, 0, $everybody) or die "send: $!";
	my $left = 0.3;
	while ($left > 0) {
		vec(my $ready = '', fileno($s), 1) = 1;
		# Linux tells the time that is left.
		(my $n, $left) = select $ready, undef, undef, $left;
		next unless $n > 0;
		recv($s, my $packet, 100, 0) // next;
		next if length($packet) < 28;
		my ($mac, $sender) = unpack 'x8 a6 a4', $packet;
		next if $sender ne $wanted || $mac eq $own;
		print join(':', unpack '(H2)6', $mac), "\n";
		exit 0;
	}
}
