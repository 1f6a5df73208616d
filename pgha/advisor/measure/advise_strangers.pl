# Hears the VRRP adverts of the network for SECONDS and prints "ADDRESS ROUTER_ID" for each sender, in the family of OWN, the
# host's own address. Needs only perl-base. The groups are left, and the sockets closed, when it ends.
use strict;
use warnings;
use Socket qw(:DEFAULT inet_pton inet_ntop);
my ($seconds, $own) = @ARGV;
my $six = $own =~ /:/;
socket(my $s, $six ? PF_INET6 : PF_INET, SOCK_RAW, 112) or die "socket: $!";
# VRRP's group, on the interface that has the host's own address: IPV6_ADD_MEMBERSHIP wants that one's index,
# IP_ADD_MEMBERSHIP the address.
if ($six) { setsockopt($s, 41, 20, inet_pton(AF_INET6, 'ff02::12') . pack('I', index_of($own))) or die "join: $!" }
else { setsockopt($s, 0, 35, inet_aton('224.0.0.18') . inet_aton($own)) or die "join: $!" }

# index_of finds an interface by an address of it: each line begins with the address and the index, in hexadecimal digits.
sub index_of {
	my $wanted = unpack 'H*', inet_pton(AF_INET6, $_[0]);
	open(my $table, '<', '/proc/net/if_inet6') or die "if_inet6: $!";
	while (<$table>) { return hex $1 if /^$wanted ([0-9a-f]+) / }
	die "no interface has $_[0]\n";
}

my ($end, %heard) = (time + $seconds + 1);
while ((my $left = $end - time) > 0) {
	my $bits = '';
	vec($bits, fileno($s), 1) = 1;
	next unless select(my $ready = $bits, undef, undef, $left);
	my $from = recv($s, my $packet, 2000, 0) // next;
	# The kernel hands raw sockets the header of IPv4, and not that of IPv6.
	my $header = $six ? 0 : 4 * (ord($packet) & 15);
	next if length($packet) < $header + 2 || ord(substr($packet, $header, 1)) % 16 != 1;
	my $sender = $six ? inet_ntop(AF_INET6, (sockaddr_in6($from))[1]) : inet_ntoa(substr($packet, 12, 4));
	$heard{$sender . ' ' . ord(substr($packet, $header + 1, 1))} = 1;
}
print "$_\n" for sort keys %heard;
