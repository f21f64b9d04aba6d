#!/bin/sh
# Brings a Temporal namespace to what namespace.json beside this file says: the namespace itself, its retention and its
# search attributes. Safe to repeat. Needs `temporal` and `jq`; the admin-tools image has both.
#
#   TEMPORAL_ADDRESS        host:port of the server
#   TEMPORAL_NAMESPACE      another namespace than namespace.json's
#   SETUP_DEADLINE_SECONDS  how long to wait for the server; default 120
set -eu

settings=$(dirname "$0")/namespace.json
namespace=${TEMPORAL_NAMESPACE:-$(jq -r .namespace "$settings")}
retention=$(jq -r .retention "$settings")
deadline=$(($(date +%s) + ${SETUP_DEADLINE_SECONDS:-120}))

# wait_until <what> <command…>: repeats the command until it succeeds; past the deadline, shows its last words and exits.
wait_until() {
  what=$1
  shift
  until output=$("$@" 2>&1); do
    if [ "$(date +%s)" -ge "$deadline" ]; then
      echo "Waited in vain until $what: $output" >&2
      exit 1
    fi
    sleep 1
  done
}

server_serves() {
  temporal operator cluster health --command-timeout 5s | grep -q SERVING
}

# `create` refuses a namespace that exists, `update` one that does not; only a failure of both is one.
namespace_is_set() {
  temporal operator namespace update --namespace "$namespace" --retention "$retention" ||
    temporal operator namespace create --namespace "$namespace" --retention "$retention"
}

# An attribute that exists already with this type is left as it is; one of another type is an error.
attribute_is_set() {
  temporal operator search-attribute create --namespace "$namespace" --name "$1" --type "$2"
}

# The server's own caches learn of a new attribute last, and refuse workflows that use it until then.
attribute_is_usable() {
  temporal workflow count --namespace "$namespace" --query "$1 IS NULL"
}

wait_until 'the Temporal server serves' server_serves
wait_until "namespace $namespace is set" namespace_is_set

jq -r '.searchAttributes | to_entries[] | "\(.key) \(.value)"' "$settings" | while read -r name type; do
  wait_until "search attribute $name is set" attribute_is_set "$name" "$type"
  wait_until "search attribute $name is usable" attribute_is_usable "$name"
done

echo "Namespace $namespace keeps ended workflows for $retention and has its search attributes."
