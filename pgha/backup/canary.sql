-- Written by pgha: writes the time into a row, where the server is the primary. A restored backup
-- tells by it up to which moment it goes.
SET statement_timeout = '20s';
SET client_min_messages = warning;
SET synchronous_commit = local;
SELECT NOT pg_is_in_recovery() AS leads \gset
\if :leads
CREATE SCHEMA IF NOT EXISTS pgha;
CREATE TABLE IF NOT EXISTS pgha.canary (one boolean PRIMARY KEY DEFAULT true CHECK (one), at timestamptz NOT NULL);
INSERT INTO pgha.canary (at) VALUES (clock_timestamp()) ON CONFLICT (one) DO UPDATE SET at = excluded.at;
\endif
