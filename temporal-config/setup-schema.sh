#!/bin/sh
# Creates Temporal's two databases where they are missing and brings each to this version's schema. Safe to repeat.
# `temporal-sql-tool` reads SQL_PLUGIN, SQL_HOST, SQL_PORT, SQL_USER and SQL_PASSWORD from the environment.
set -eu

schemas=${SCHEMA_DIRECTORY:-/etc/temporal/schema/postgresql/v12}

# set_up <database> <schema's folder>
set_up() {
  temporal-sql-tool --database "$1" create-database
  # Version 0.0 only makes the table that holds the version; an existing one is left as it is.
  temporal-sql-tool --database "$1" setup-schema --version 0.0
  temporal-sql-tool --database "$1" update-schema --schema-dir "$schemas/$2/versioned"
}

set_up temporal temporal
set_up temporal_visibility visibility
