# logins PORT PASSFILE CA REPLICATION REWIND PSQL ADDRESS...: logs in to each address as both roles, with the password file and
# as strictly as replicas do. Prints the first login that fails, and ends with 1.
port=$1 pass=$2 ca=$3 replication=$4 rewind=$5 psql=$6
shift 6
for to; do
	rest="host=$to port=$port passfile=$pass sslmode=verify-full sslrootcert=$ca connect_timeout=5 dbname=postgres"
	"$psql" -XAtqw -d "$rest user='$replication' replication=true" -c IDENTIFY_SYSTEM >/dev/null || { echo "$replication to $to"; exit 1; }
	"$psql" -XAtqw -d "$rest user='$rewind'" -c 'SELECT 1' >/dev/null || { echo "$rewind to $to"; exit 1; }
done
