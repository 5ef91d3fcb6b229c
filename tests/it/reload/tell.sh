#!/bin/sh
# A listener that writes down what it is told, and by which version of it: tell.sh VERSION MANNER.
# Whoever runs holds locks, which end with the process, however that ends.
set -u
own=${0%/*}

# Says so if others hold all locks of this name.
hold() {
  exec 9>>"$own/desk/$1"
  flock -n 9 && return
  if [ "$manner" = quick ]; then
    exec 9>>"$own/desk/$1.second"
    flock -n 9 && return
  fi
  echo "$1 $2" >>"$own/overlaps"
}

version=$1 manner=$2
if [ "$manner" = pipe ]; then
  held=
  while read -r line; do
    id=${line#*\"id\":\"}
    id=${id%%\"*}
    of=$DBWARDEN_LISTENER@${id%%/*}
    [ "$of" = "$held" ] || hold "$of" "$id"
    held=$of
    printf '%s %s\n' "$version" "$line" >>"$own/told/$of"
    echo "$id"
  done
  exit
fi
of=$DBWARDEN_LISTENER@${DBWARDEN_DOMAIN:--}
hold "$of" "$DBWARDEN_ID"
exec 8>>"$own/desk/$of+${DBWARDEN_DATABASE:-${DBWARDEN_PEER:-}}"
flock -n 8 || echo "$of $DBWARDEN_ID, about the same" >>"$own/overlaps"
read -r line
case $manner:$DBWARDEN_ATTEMPT in
  slow:*) sleep 0.02 8>&- 9>&- ;;
  flaky:1) [ $((${DBWARDEN_SEQ:-3} % 3)) -gt 0 ] || exit 75 ;;
  hanging:1) [ $((${DBWARDEN_SEQ:-1} % 23)) -gt 0 ] || exec sleep 1h ;;
esac
printf '%s %s\n' "$version" "$line" >>"$own/told/$of"
