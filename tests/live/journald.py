"""What a service logs is found in the journal of systemd by what it is about.

It boots a Debian of its own in a container without a network, in which the daemon is a service and
the domain a sandbox. What the journal says there is written to a folder of the host.
"""

import json
import os
import shutil
import subprocess
import tempfile

from harness import BINARY, Program, main, story

# How long a container may take to boot, to live its life and to be gone.
LIFETIME = 120

CONFIG = """
[daemon]
state-directory = "/tmp/state-{name}"
socket = "/tmp/{name}.sock"
mode = "observe"

[[domain]]
name = "live"
brokers = "127.0.0.1:48004"
user = "domain"
password = { file = "/story/password" }
settle = "50ms"
"""

SERVICE = """
[Service]
Type=notify
ExecStart=/story/dbwarden run --config /story/{name}.toml
StandardOutput=journal
StandardError={stderr}
"""

STORY = """
[Unit]
Wants=dbwarden.service elsewhere.service

[Service]
Type=oneshot
ExecStart=/bin/bash /story/story.sh
StandardOutput=file:/result/story.log
StandardError=file:/result/story.log
ExecStopPost=/bin/systemctl --no-block poweroff
"""

# Runs in the container. It ends by itself, whatever happens: each wait has an end.
SCRIPT = r"""
set -eux
wait_for() {
  for _ in $(seq 300); do
    if eval "$1"; then return 0; fi
    sleep 0.1
  done
  echo "waited in vain for: $1"
  return 1
}
finish() {
  journalctl --sync
  journalctl -o json -u dbwarden.service >/result/service.json
  journalctl -o json -u elsewhere.service >/result/elsewhere.json
  journalctl -o json DBWARDEN_DATABASE=teas _SYSTEMD_UNIT=dbwarden.service >/result/database.json
}
trap finish EXIT

/story/dbwarden sandbox --listen 127.0.0.1:48004 --peers 2 --database teas --te 1 --sm 1 \
  --control /tmp/control --json >/tmp/sandbox.json &
wait_for 'test -s /tmp/sandbox.json'
systemctl start dbwarden.service elsewhere.service
told() { journalctl -q -o cat DBWARDEN_EVENT="$1" DBWARDEN_DATABASE=teas | grep -q .; }
wait_for 'told database_active'
wait_for 'grep -q database_active /result/elsewhere.log'
engine=$(/story/dbwarden sandbox-ctl --control /tmp/control list --json \
  | tr '{' '\n' | sed -n 's/^"pid":\([0-9]*\),.*"role":"TE".*/\1/p')
kill -KILL "$engine"
wait_for 'told process_failed'
wait_for 'told database_inactive'
wait_for 'grep -q process_failed /result/elsewhere.log'
echo "$engine" >/result/engine
"""


class Container(Program):
    """A Debian that lives for one script; it leaves nothing in the tree it was started from."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="dbwarden-live-")
        self.story, self.result = (os.path.join(self.folder.name, it) for it in ("story", "result"))
        for folder in (self.story, self.result):
            os.mkdir(folder)
        shutil.copy(BINARY, os.path.join(self.story, "dbwarden"))
        self._write("password", "bird\n", 0o600)
        for name in ("dbwarden", "elsewhere"):
            self._write(name + ".toml", CONFIG.replace("{name}", name), 0o600)
        self._write("dbwarden.service", SERVICE.format(name="dbwarden", stderr="journal"))
        self._write("elsewhere.service",
                    SERVICE.format(name="elsewhere", stderr="file:/result/elsewhere.log"))
        self._write("story.service", STORY)
        self._write("story.sh", SCRIPT)
        units = ["--bind-ro=%s:/etc/systemd/system/%s" % (os.path.join(self.story, it), it)
                 for it in ("dbwarden.service", "elsewhere.service", "story.service")]
        super().__init__(
            "systemd-nspawn", "--directory=" + os.environ["DEBIAN"], "--volatile=overlay", "--boot",
            "--private-network", "--register=no", "--keep-unit", "--console=pipe",
            "--bind-ro=%s:/story" % self.story, "--bind=%s:/result" % self.result, *units,
            "systemd.wants=story.service", "systemd.log_target=null")

    def _write(self, name, text, mode=0o644):
        path = os.path.join(self.story, name)
        with open(path, "w") as file:
            file.write(text)
        os.chmod(path, mode)

    def lives(self):
        """Waits until the container is gone, and returns whether its story held."""
        try:
            self.process.wait(LIFETIME)
        except subprocess.TimeoutExpired:
            raise AssertionError("the container did not end within %s s" % LIFETIME)
        return os.path.exists(os.path.join(self.result, "engine"))

    def text(self, name):
        """Returns what was written to the folder of the host."""
        try:
            with open(os.path.join(self.result, name), errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def entries(self, name):
        """Returns entries of a journal, in order."""
        return [json.loads(it) for it in self.text(name).splitlines()]


@story
def the_journal_finds_an_event_by_its_database():
    container = Container()
    held = container.lives()
    assert held, container.text("story.log")
    engine = container.text("engine").strip()

    entries = container.entries("database.json")
    by_event = {it.get("DBWARDEN_EVENT"): it for it in entries}
    failed = by_event["process_failed"]
    expected = {
        "DBWARDEN_EVENT": "process_failed", "DBWARDEN_SEVERITY": "critical",
        "DBWARDEN_DOMAIN": "live", "DBWARDEN_DATABASE": "teas", "DBWARDEN_ROLE": "TE",
        "DBWARDEN_PID": engine, "DBWARDEN_CAUSE": "exit", "DBWARDEN_STATUS_WORD": "RUNNING",
        "PRIORITY": "3", "SYSLOG_IDENTIFIER": "dbwarden", "_SYSTEMD_UNIT": "dbwarden.service",
        "_TRANSPORT": "journal",
    }
    assert {it: failed.get(it) for it in expected} == expected, failed
    assert failed["DBWARDEN_PEER"].startswith("127.0.0.1:"), failed
    assert failed["DBWARDEN_ID"].startswith("live/"), failed
    assert failed["MESSAGE"].startswith("A process ended"), failed
    # What is not known has no field, and none is empty.
    inactive = by_event["database_inactive"]
    for name in ("PEER", "ROLE", "PID", "SLOT", "CAUSE", "ACTION", "SNAPSHOT"):
        assert "DBWARDEN_" + name not in inactive, inactive
    assert by_event["database_active"]["PRIORITY"] == "6", by_event
    for entry in entries:
        assert entry["DBWARDEN_DATABASE"] == "teas", entry
        assert "" not in entry.values(), entry

    # Nothing is there twice: not a line of it went to stderr as well.
    service = container.entries("service.json")
    assert not [it for it in service if it["_TRANSPORT"] == "stdout"], service
    # Where stderr leads elsewhere, so does the log, as lines for people.
    assert "ERROR dbwarden::event: A process ended" in container.text("elsewhere.log")
    elsewhere = container.entries("elsewhere.json")
    assert not [it for it in elsewhere if "DBWARDEN_EVENT" in it], elsewhere


if __name__ == "__main__":
    main()
