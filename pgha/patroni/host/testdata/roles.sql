-- Written by pgha: the roles that Patroni works with, with SCRAM verifiers in place of passwords.
-- Patroni runs it when it has initialized a new cluster, and never again.
SET synchronous_commit TO local;
SET log_statement TO none;
SET log_min_duration_statement TO -1;
SET log_min_error_statement TO panic;
SET pg_stat_statements.track_utility TO off;
SET pgaudit.log TO none;
SELECT 'CREATE ROLE "admin"' WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'admin') \gexec
ALTER ROLE "admin" WITH SUPERUSER LOGIN PASSWORD 'SCRAM-SHA-256$4096:MDEyMzQ1Njc4OWFiY2RlZg==$0Zed0MKE6ZjgPujYr5kCKsmI6A8pQOfmE4DgsE4hmjQ=:UIQ/nnmEeSXZhd5PKdPihi9jBZhs5EcrQrNxdEQ1in4=';
SELECT 'CREATE ROLE "replicator"' WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'replicator') \gexec
ALTER ROLE "replicator" WITH REPLICATION LOGIN PASSWORD 'SCRAM-SHA-256$4096:MDEyMzQ1Njc4OWFiY2RlZg==$DJzXQu+yS4ri/hAjZzwiptod8wZgJXFBenSjuIEdYOA=:3EOQw4ORH94O9JOSYgrm39FI7uUxa6vVpP7+10x2kQE=';
SELECT 'CREATE ROLE "o''Rewind"' WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'o''Rewind') \gexec
ALTER ROLE "o'Rewind" WITH LOGIN PASSWORD 'SCRAM-SHA-256$4096:MDEyMzQ1Njc4OWFiY2RlZg==$DLA0Z43t/CaphN/U/PMRmUFy1Cup016r1Gu6AIT3BXQ=:zU48VGTcavku46O4S5m473KwTtU5q1CUt2QRwdEV+ek=';
