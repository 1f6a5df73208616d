# Asks the network which interfaces have an IPv4 address, and prints the network address of each that answers within 0.15 s.
# Prints nothing where the address is this host's own, or is reached through a router. Needs only perl-base, and loads no
# module: perl begins in a tenth of the time then.
use strict;
my ($address) = @ARGV;
sub packed { pack 'C4', split /\./, shift }
my ($route) = grep { !/^local/ } `ip -o -4 route get $address`;
my ($device, $source) = ($route // '') =~ /^\S+ dev (\S+) src (\S+)/ or exit;
my ($index, $mac) = map { open(my $f, '<', "/sys/class/net/$device/$_") or exit; my $v = <$f>; chomp $v; $v } qw(ifindex address);
# PF_PACKET, SOCK_DGRAM, ETH_P_ARP; then a request: who has the address, tell us.
socket(my $s, 17, 2, unpack('S', pack('n', 0x0806))) or exit;
my $to = sub { pack('S n i S C C a8', 17, 0x0806, $index, 1, 0, 6, shift) };
bind($s, pack('S n i S C C a8', 17, 0x0806, $index, 0, 0, 0, '')) or exit;
send($s, pack('n n C C n H12 a4 x6 a4', 1, 0x0800, 6, 4, 1, $mac =~ tr/://dr, packed($source), packed($address)), 0, $to->("\xff" x 6)) or exit;
my %heard;
my $left = 0.15;
while ($left > 0) {
	my $bits = '';
	vec($bits, fileno($s), 1) = 1;
	(my $ready, $left) = select(my $out = $bits, undef, undef, $left);
	last unless $ready;
	recv($s, my $packet, 200, 0) // last;
	next if length($packet) < 28;
	my ($operation, $sender, $claims) = unpack('x6 n H12 a4', $packet);
	$heard{join ':', $sender =~ /../g} = 1 if $operation == 2 && $claims eq packed($address);
}
print "$_\n" for sort keys %heard;
