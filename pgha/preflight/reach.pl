# Opens a TCP connection to the host of URL or, if that is given, of PROXY, in 5 s at most, and closes it again. Says why not
# and ends with 1. For hosts without curl; needs only perl-base.
use strict;
use warnings;
use Socket qw(:DEFAULT getaddrinfo);
my ($scheme, $host, $port) = ($ARGV[1] || $ARGV[0]) =~ m{^(?:(\w+)://)?(?:[^/@]*@)?(\[[^]]*\]|[^/:]+)(?::(\d+))?} or die "no host in the URL\n";
$host =~ tr/[]//d;
$port ||= ($scheme || 'http') eq 'https' ? 443 : 80;
$SIG{ALRM} = sub { print "no answer from $host port $port within 5 seconds\n"; exit 1 };
alarm 5;
my ($error, @found) = getaddrinfo($host, $port, { socktype => SOCK_STREAM });
if ($error) { print "$host cannot be resolved: $error\n"; exit 1 }
my $why = 'no address';
for my $to (@found) {
	socket(my $s, $to->{family}, SOCK_STREAM, 0) or next;
	exit 0 if connect($s, $to->{addr});
	$why = $!;
}
print "$host port $port: $why\n";
exit 1;
