#!/usr/bin/env bash
# Drives the release build with unmodified foreign clients, on loopback only. It installs what it
# needs outside the repository and ends with a line that counts the stories told.
#
#   tests/live.sh [NAME...]    only the scripts of tests/live that are named, such as `entity`
set -euo pipefail
cd "$(dirname "$0")/.."

cache=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/dbwarden-ci
# Long enough for every story of a script to wait in vain.
script_limit=300
passed=0 failed=0 running=

die() {
  printf 'live: %s\n' "$*" >&2
  exit 1
}

# Nothing of ours goes on when this script ends: the Python scripts end what they started on TERM.
count=$(mktemp)
cleanup() {
  [ -z "$running" ] || kill "$running" 2>/dev/null || true
  rm -f "$count"
}
trap cleanup EXIT
trap 'exit 1' HUP INT TERM

# Prints the Python that has this version of the client.
python_with() {
  local version=$1 home=$cache/pynuodb-$1
  if [ ! -e "$home/.complete" ]; then
    command -v python3 >/dev/null || die "python3 is missing: install the package python3"
    python3 -m venv --clear "$home" >&2 || die "no virtual environment: install python3-venv"
    "$home/bin/pip" install --quiet "pynuodb==$version" cryptography >&2 \
      || die "pynuodb $version could not be installed; is the package index reachable?"
    touch "$home/.complete"
  fi
  printf '%s\n' "$home/bin/python"
}

# Tells the stories of one script with one version of the client.
tell() {
  local script=$1 version=$2 python counted
  [ "${#wanted[@]}" = 0 ] || [[ " ${wanted[*]} " == *" $script "* ]] || return 0
  printf '== %s, pynuodb %s\n' "$script" "$version"
  python=$(python_with "$version")
  rm -f "$count"
  # Old clients warn of their own age; that is not our subject.
  COUNT=$count timeout --kill-after=30 "$script_limit" \
    "$python" -W ignore "tests/live/$script.py" </dev/null &
  running=$!
  wait "$running" || true
  running=
  counted=$(cat "$count" 2>/dev/null) || true
  # A script that did not get as far as counting failed as a whole.
  [ -n "$counted" ] || counted="0 1"
  passed=$((passed + ${counted% *}))
  failed=$((failed + ${counted#* }))
}

wanted=("$@")

cargo build --locked --release --quiet --bin dbwarden
DBWARDEN=$PWD/target/release/dbwarden
export DBWARDEN PYTHONDONTWRITEBYTECODE=1

tell entity 2.3.3
tell entity 2.6.1
tell find_peer 2.6.1
tell session 4.1.0
tell command 2.6.1
tell heal 2.6.1

printf '%s passed, %s failed\n' "$passed" "$failed"
[ "$failed" = 0 ] && [ "$passed" != 0 ]
