#!/usr/bin/env bash
# Drives the release build with unmodified foreign programs, on loopback only: clients of the
# protocol, an Alertmanager, a Prometheus, schemathesis, systemd in a container, a browser. It
# installs what it needs outside the repository and ends with a line that counts the stories told.
#
#   tests/live.sh [NAME...]    only the scripts of tests/live that are named, such as `entity`
set -euo pipefail
cd "$(dirname "$0")/.."

cache=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/dbwarden-ci
# Pinned, so that a new release of the tool turns nothing red by itself.
schemathesis_version=4.32.5
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

# Prints the Python of a virtual environment of that name with these packages.
python_with() {
  local home=$cache/$1
  shift
  if [ ! -e "$home/.complete" ]; then
    command -v python3 >/dev/null || die "python3 is missing: install the package python3"
    python3 -m venv --clear "$home" >&2 || die "no virtual environment: install python3-venv"
    "$home/bin/pip" install --quiet "$@" >&2 \
      || die "$* could not be installed; is the package index reachable?"
    touch "$home/.complete"
  fi
  printf '%s\n' "$home/bin/python"
}

# Has a program of Debian's here, from a package of its own. Nothing it recommends is installed:
# its daemon is not needed, only the program.
have() {
  local program=$1 package=$2
  command -v "$program" >/dev/null && return
  command -v apt-get >/dev/null || die "$program is missing: install it; Debian's is in $package"
  [ "$(id -u)" = 0 ] || die "$program is missing: as root, apt-get install $package"
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
    apt-get install -qq --yes --no-install-recommends "$package"; } >&2 \
    || die "$package could not be installed; is the package index reachable?"
}

# Prints where a small Debian with systemd lies, to be booted in a container.
debian() {
  local home=$cache/debian-bookworm mirror
  [ "$(id -u)" = 0 ] || die "a container is booted by root only"
  have systemd-nspawn systemd-container
  if [ ! -e "$home.complete" ]; then
    have debootstrap debootstrap
    # The mirror that this machine itself uses.
    mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 'Codename: bookworm' \
      2>/dev/null | head -n 1)
    rm -rf --one-file-system "$home"
    mkdir -p "$cache"
    # It names each package twice; only how it failed is worth reading.
    timeout 600 debootstrap --variant=minbase --include=systemd,systemd-sysv,dbus bookworm \
      "$home" "${mirror:-http://deb.debian.org/debian}" >"$home.log" 2>&1 \
      || { tail -n 20 "$home.log" >&2
        die "no Debian for the container: debootstrap failed; is the mirror reachable?"; }
    touch "$home.complete"
  fi
  printf '%s\n' "$home"
}

# Returns whether a script is to be run, and says so.
is_wanted() {
  [ "${#wanted[@]}" = 0 ] || [[ " ${wanted[*]} " == *" $1 "* ]] || return 1
  printf '== %s%s\n' "$1" "${2:+, pynuodb $2}"
}

# Tells the stories of one script with one version of the client.
tell() {
  local script=$1 version=$2 python
  is_wanted "$script" "$version" || return 0
  python=$(python_with "pynuodb-$version" "pynuodb==$version" cryptography)
  run "$python" "$script"
}

# Runs one script within its limit, and counts what it tells.
run() {
  local python=$1 script=$2 counted
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
if is_wanted alertmanager; then
  have prometheus-alertmanager prometheus-alertmanager
  run python3 alertmanager
fi
if is_wanted prometheus; then
  have prometheus prometheus
  have promtool prometheus
  run python3 prometheus
fi
if is_wanted beyond; then
  have unshare util-linux
  have ip iproute2
  run python3 beyond
fi
if is_wanted schemathesis; then
  python=$(python_with "schemathesis-$schemathesis_version" "schemathesis==$schemathesis_version")
  run "$python" schemathesis
fi
if is_wanted journald; then
  DEBIAN=$(debian)
  export DEBIAN
  run python3 journald
fi
if is_wanted systemd; then
  DEBIAN=$(debian)
  PACKAGE=$(bash .ci/package --no-build)
  export DEBIAN PACKAGE
  run python3 systemd
fi

if is_wanted page; then
  have chromium chromium
  run python3 page
fi

printf '%s passed, %s failed\n' "$passed" "$failed"
[ "$failed" = 0 ] && [ "$passed" != 0 ]
