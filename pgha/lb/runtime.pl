# Sends the words of its second argument to the Unix socket of its first and prints the answer. perl-base is essential on
# Debian and Ubuntu, socat and python3 are not.
use strict; use warnings; use IO::Socket::UNIX;
my ($path, $words) = @ARGV;
alarm 10;
my $s = IO::Socket::UNIX->new(Type => SOCK_STREAM, Peer => $path) or die "connect $path: $!\n";
print $s "$words\n" or die "write $path: $!\n";
$s->flush;
print while <$s>;
