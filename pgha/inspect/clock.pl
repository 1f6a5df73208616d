# Prints whether the kernel knows the host's clock to be right, and its time zone, in the words of
# `timedatectl show`. That command starts a service for it, which takes ten times as long. As there
# the kernel's estimate of the error decides, below 16 seconds, and the time zone is what
# /etc/localtime leads to. Needs perl-base, and loads no module.
use strict;
# What perl was built for tells the number of the system call adjtimex: the class, byte order and
# machine of its ELF file.
my $head = '';
if (open(my $self, '<:raw', '/proc/self/exe')) { read($self, $head, 20) }
$head .= "\0" x 20;
my ($class, $order) = unpack 'x4 C C', $head;
my $machine = unpack $order == 2 ? 'x18 n' : 'x18 v', $head;
# amd64, arm64, riscv64, loong64, ppc64el, s390x
my %numbers = (62 => 159, 183 => 171, 243 => 171, 258 => 171, 21 => 124, 22 => 124);
my $number = $class == 2 ? $numbers{$machine} : undef;
my $timex = "\0" x 256; # all zero: asks only
if (!$number || syscall($number, $timex) < 0) {
	exec 'timedatectl', 'show', '--property=NTPSynchronized', '--property=Timezone';
}
my ($error) = unpack 'x24 q', $timex; # microseconds
my $zone = readlink('/etc/localtime') // '';
$zone =~ s{^.*/zoneinfo/}{} or $zone = 'UTC';
print 'NTPSynchronized=', $error < 16e6 ? 'yes' : 'no', "\nTimezone=$zone\n";
