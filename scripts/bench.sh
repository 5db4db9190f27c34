#!/usr/bin/env bash
# Runs a benchmark by its name: scripts/bench.sh NAME [its options]. Each prints a table and ends with a RESULT line; --help of
# each tells its options. bench/README.md says what they measure.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
name=${1:-}
if [[ -z $name || $name == -* || ! -x $root/bench/$name.sh ]]; then
  echo "usage: scripts/bench.sh NAME [options], where NAME is one of:" >&2
  for script in "$root"/bench/*.sh; do
    echo "  $(basename "$script" .sh)    $(sed -n '2s/^# //p' "$script")" >&2
  done
  exit 2
fi
shift
exec "$root/bench/$name.sh" "$@"
