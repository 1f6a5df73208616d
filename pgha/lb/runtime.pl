# Sends words to Unix sockets and prints the answers: arguments are a socket, its words, another socket, its words, ... The
# first socket must answer; of the others one that does not is left out. perl-base is essential on Debian and Ubuntu, socat
# and python3 are not.
use strict; use warnings; use IO::Socket::UNIX;
alarm 10;
my $needed = 1;
while (my ($path, $words) = splice @ARGV, 0, 2) {
	my $s = IO::Socket::UNIX->new(Type => SOCK_STREAM, Peer => $path);
	die "connect $path: $!\n" if $needed && !$s;
	$needed = 0;
	next if !$s;
	print $s "$words\n" or die "write $path: $!\n";
	$s->flush;
	$s->shutdown(1); # the master answers at the end of what it is asked
	print while <$s>;
}
