# Hears the VRRP adverts of the network for SECONDS and prints "ADDRESS ROUTER_ID" for each sender. Needs only perl-base. The
# groups are left, and the sockets closed, when it ends.
use strict;
use warnings;
use Socket;
my ($seconds, $own) = @ARGV;
socket(my $s, PF_INET, SOCK_RAW, 112) or die "socket: $!";
# IP_ADD_MEMBERSHIP of VRRP's group, on the interface that has the host's own address.
setsockopt($s, 0, 35, inet_aton('224.0.0.18') . inet_aton($own)) or die "join: $!";
my ($end, %heard) = (time + $seconds + 1);
while ((my $left = $end - time) > 0) {
	my $bits = '';
	vec($bits, fileno($s), 1) = 1;
	next unless select(my $ready = $bits, undef, undef, $left);
	recv($s, my $packet, 2000, 0) // next;
	my $header = 4 * (ord($packet) & 15);
	next if length($packet) < $header + 2 || ord(substr($packet, $header, 1)) % 16 != 1;
	$heard{inet_ntoa(substr($packet, 12, 4)) . ' ' . ord(substr($packet, $header + 1, 1))} = 1;
}
print "$_\n" for sort keys %heard;
