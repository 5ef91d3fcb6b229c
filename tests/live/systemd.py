"""The package lives its whole life under a real systemd: from its installation to its purge.

One container lives it from beginning to end, as a service manager and its people would have it, and
writes down each stage that held; each story judges one stage by that and by what was shown there.
"""

import os
import re

from container import Container
from harness import main, story

# What the service is configured with; no broker is there when it starts.
CONFIG = """
[daemon]
mode = "heal"

[[domain]]
name = "live"
brokers = "127.0.0.1:48004"
user = "domain"
password = { credential = "live" }
settle = "50ms"
reconnect-first = "100ms"
reconnect-max = "1s"

[[domain.database]]
name = "teas"
te-options = []

[[policy]]
databases = ["*"]
min-uptime = "100ms"
return-grace = "100ms"

[[listener]]
name = "log"
kind = "log"
"""

# What a machine adds: where the password lies, and a shorter patience, for the sake of the test.
DROP_IN = """
[Service]
LoadCredential=live:/etc/dbwarden/secrets/live
WatchdogSec=4
"""

SCRIPT = r"""
finish() {
  set +e
  journalctl --sync
  journalctl -o short-monotonic -u dbwarden.service >/result/journal
  systemctl status --no-pager --full dbwarden.service >/result/last-status
}
trap finish EXIT
# Notes that a stage held.
held() { touch "/result/$1"; }
show() { systemctl show --property="$1" --value dbwarden.service; }
shown() { systemctl status --no-pager --full dbwarden.service; }
main_pid() { show MainPID; }
# What was told since the mark, which is an entry of its own: behind a cursor this journalctl leaves
# out the first that matches.
mark() {
  echo mark | systemd-cat -t story
  journalctl --sync
  cursor=$(journalctl -q -t story -n 1 --show-cursor | sed -n 's/^-- cursor: //p')
}
told() { journalctl -q -o cat --cursor "$cursor" DBWARDEN_EVENT="$1" | grep -q .; }
said() { journalctl -q -o cat --cursor "$cursor" -u dbwarden.service | grep -q "$1"; }
engines() {
  /story/dbwarden sandbox-ctl --control /tmp/control list --json | tr '{' '\n' \
    | sed -n 's/^"pid":\([0-9]*\),.*"role":"TE".*/\1/p'
}
# All there is on the disk but what other programs write as they go.
disk() {
  find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /run -o -path /tmp \
    -o -path /result -o -path /story -o -path /var/log -o -path /var/cache -o -path /var/tmp \
    -o -path /var/lib/dpkg -o -path /root \) -prune -o -print | sort
}
# Kills one engine and waits until there are two again.
heal() {
  mark
  local killed
  killed=$(engines | head -n 1)
  kill -KILL "$killed"
  wait_for 'told action_succeeded'
  wait_for '[ "$(engines | wc -l)" = 2 ] && ! engines | grep -qx '"$killed"
}

disk >/tmp/before
dpkg -i /story/dbwarden.deb
dpkg -V dbwarden
dpkg -L dbwarden >/result/files
stat -c '%U %a %n' /etc/dbwarden /etc/dbwarden/dbwarden.toml /usr/bin/dbwarden >/result/modes
[ "$(show ActiveState)" = inactive ]
[ "$(systemctl is-enabled dbwarden)" = disabled ]
systemd-analyze verify dbwarden.service 2>&1 | tee /result/verify
held installed

# The sample is complete but for its password.
install -d -m 700 /etc/dbwarden/secrets
echo bird >/etc/dbwarden/secrets/prod
CREDENTIALS_DIRECTORY=/etc/dbwarden/secrets dbwarden check /etc/dbwarden/dbwarden.toml
mv /etc/dbwarden/secrets/prod /etc/dbwarden/secrets/live
chmod 600 /etc/dbwarden/secrets/live
cat /story/dbwarden.toml >/etc/dbwarden/dbwarden.toml
install -d /etc/systemd/system/dbwarden.service.d
install -m 644 /story/drop-in.conf /etc/systemd/system/dbwarden.service.d/override.conf
systemctl daemon-reload
mark
systemctl enable --now dbwarden
[ "$(show ActiveState)" = active ]
shown >/result/ready-status
wait_for 'told domain_disconnected'
held ready

mark
/story/dbwarden sandbox --listen 127.0.0.1:48004 --peers 3 --database teas --te 2 --sm 1 \
  --control /tmp/control --json >/tmp/sandbox.json &
sandbox=$!
wait_for 'test -s /tmp/sandbox.json'
wait_for 'told domain_connected'
wait_for 'told domain_thawed'
dbwarden status >/result/status
held connected

heal
held healed

first=$(main_pid)
mark
kill -KILL "$first"
wait_for '[ "$(show NRestarts)" = 1 ] && [ "$(show ActiveState)" = active ]'
[ "$(main_pid)" != "$first" ]
wait_for 'told domain_thawed'
heal
held killed

second=$(main_pid)
mark
kill -STOP "$second"
wait_for '[ "$(show NRestarts)" = 2 ] && [ "$(show ActiveState)" = active ]'
[ "$(main_pid)" != "$second" ]
wait_for 'told domain_thawed'
heal
# Left alone for longer than the watchdog waits, it goes on.
third=$(main_pid)
sleep 6
[ "$(main_pid)" = "$third" ]
[ "$(show NRestarts)" = 2 ]
journalctl -q -o cat -u dbwarden.service | grep -i watchdog >/result/watchdog
held stopped-by-signal

shown >/result/before-status
mark
sed -i 's/mode = "heal"/mode = "suggest"/' /etc/dbwarden/dbwarden.toml
systemctl reload dbwarden
wait_for 'told config_reloaded'
wait_for '[ "$(show ActiveState)" = active ]'
shown >/result/reload-status
[ "$(main_pid)" = "$third" ]
held reloaded

mark
cp /etc/dbwarden/dbwarden.toml /tmp/good.toml
printf '\n[nonsense]\nrubbish = 1\n' >>/etc/dbwarden/dbwarden.toml
systemctl reload dbwarden
wait_for 'told config_rejected'
wait_for '[ "$(show ActiveState)" = active ] && shown | grep -q refused'
shown >/result/refusal-status
[ "$(main_pid)" = "$third" ]
dbwarden databases >/result/still-watching
held refused

# A restart with it is refused as well, and not tried again, for longer than RestartSec.
code=0
systemctl restart dbwarden || code=$?
[ "$code" != 0 ]
sleep 5
[ "$(show ActiveState)" = failed ]
[ "$(show ExecMainStatus)" = 78 ]
held failed
cp /tmp/good.toml /etc/dbwarden/dbwarden.toml
mark
systemctl start dbwarden
wait_for 'told domain_connected'

# An upgrade keeps what was configured and starts the service anew.
old=$(main_pid)
mark
dpkg -i /story/dbwarden.deb
wait_for 'told daemon_started && [ "$(show ActiveState)" = active ]'
[ "$(main_pid)" != "$old" ]
cmp /tmp/good.toml /etc/dbwarden/dbwarden.toml
[ "$(systemctl is-enabled dbwarden)" = enabled ]
wait_for 'told domain_connected'
held upgraded

mark
systemctl stop dbwarden
[ "$(show Result)" = success ]
[ "$(show ExecMainStatus)" = 0 ]
wait_for 'told daemon_stopping'
wait_for 'said "^stopped$"'
[ -d /var/lib/dbwarden/live ]
[ ! -e /run/dbwarden ]
held stopped

systemctl start dbwarden
wait_for 'told domain_connected'
kill "$sandbox"
dpkg --purge dbwarden
grep -lx dbwarden /proc/[0-9]*/comm >/result/left-running || true
systemctl status dbwarden.service >/result/purged-status 2>&1 || true
disk >/tmp/after
diff /tmp/before /tmp/after >/result/left || true
held purged
"""

_container, _missing = [], []


def life():
    """Returns the container after its life, which is lived once."""
    if not _container:
        files = {"dbwarden.toml": CONFIG, "drop-in.conf": DROP_IN}
        copies = {"dbwarden.deb": os.environ["PACKAGE"]}
        _container.append(Container(SCRIPT, files=files, copies=copies, lifetime=240))
        _container[0].lives()
    return _container[0]


def stage(name):
    """Returns the container, if its life got beyond a stage."""
    container = life()
    if not container.wrote(name):
        # Everything behind the stage that did not hold is missing as well: said once.
        log, journal = container.text("story.log")[-4000:], container.text("journal")[-4000:]
        said = "" if _missing else "\n%s\n%s" % (log, journal)
        _missing.append(name)
        raise AssertionError("its life did not get beyond `%s`%s" % (name, said))
    return container


def status_line(text):
    """Returns what the service says of itself in `systemctl status`."""
    found = re.search(r'Status: "(.*)"', text)
    assert found, text
    return found.group(1)


@story
def it_installs_and_neither_runs_nor_is_enabled_before_it_is_configured():
    container = stage("installed")
    files = container.text("files").splitlines()
    for path in ("/usr/bin/dbwarden", "/usr/lib/systemd/system/dbwarden.service",
                 "/etc/dbwarden/dbwarden.toml", "/usr/share/man/man1/dbwarden.1.gz",
                 "/usr/share/man/man1/dbwarden-domain-tags-set.1.gz",
                 "/usr/share/bash-completion/completions/dbwarden",
                 "/usr/share/fish/vendor_completions.d/dbwarden.fish",
                 "/usr/share/zsh/vendor-completions/_dbwarden",
                 "/usr/share/dbwarden/prometheus/rules.yml", "/usr/share/dbwarden/grafana.json",
                 "/usr/share/doc/dbwarden/reference.toml", "/usr/share/doc/dbwarden/copyright"):
        assert path in files, (path, files)
    assert container.text("modes").splitlines() == [
        "root 755 /etc/dbwarden", "root 644 /etc/dbwarden/dbwarden.toml",
        "root 755 /usr/bin/dbwarden"], container.text("modes")
    assert container.text("verify") == "", container.text("verify")


@story
def it_is_ready_with_no_broker_up():
    status = stage("ready").text("ready-status")
    assert status_line(status) == "watching 1 domain by configuration 1", status


@story
def it_connects_when_there_is_a_domain():
    status = stage("connected").text("status")
    assert "domain live" in status and "teas" in status, status


@story
def it_heals_a_killed_engine():
    stage("healed")


@story
def killed_itself_it_is_started_again_and_heals():
    stage("killed")


@story
def held_up_for_longer_than_the_watchdog_waits_it_is_started_again_and_heals():
    container = stage("stopped-by-signal")
    told = container.text("watchdog").splitlines()
    assert [it for it in told if "Watchdog timeout" in it], told
    assert len([it for it in told if "Watchdog timeout" in it]) == 1, told


@story
def a_reload_takes_effect_and_is_said():
    container = stage("reloaded")
    before, after = (status_line(container.text(it)) for it in ("before-status", "reload-status"))
    numbers = [int(it.rsplit(" ", 1)[1]) for it in (before, after)]
    assert numbers[1] == numbers[0] + 1, (before, after)


@story
def a_broken_configuration_is_refused_and_said_in_the_status():
    container = stage("refused")
    said = status_line(container.text("refusal-status"))
    assert "the new configuration is refused" in said and "nonsense" in said, said
    assert "teas" in container.text("still-watching"), container.text("still-watching")


@story
def with_a_broken_configuration_it_does_not_start_and_is_not_tried_again():
    stage("failed")


@story
def an_upgrade_keeps_the_configuration_and_starts_it_anew():
    stage("upgraded")


@story
def it_stops_in_order():
    stage("stopped")


@story
def a_purge_leaves_nothing():
    container = stage("purged")
    assert container.text("left") == "", container.text("left")
    assert container.text("left-running") == "", container.text("left-running")
    assert "could not be found" in container.text("purged-status"), container.text("purged-status")


if __name__ == "__main__":
    main()
