"""What a service logs is found in the journal of systemd by what it is about.

It boots a Debian of its own in a container without a network, in which the daemon is a service and
the domain a sandbox. What the journal says there is written to a folder of the host.
"""

from container import Container
from harness import main, story

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

# Runs in the container.
SCRIPT = r"""
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


@story
def the_journal_finds_an_event_by_its_database():
    names = ("dbwarden", "elsewhere")
    files = {it + ".toml": CONFIG.replace("{name}", it) for it in names}
    units = {"dbwarden.service": SERVICE.format(name="dbwarden", stderr="journal"),
             "elsewhere.service": SERVICE.format(name="elsewhere",
                                                 stderr="file:/result/elsewhere.log")}
    container = Container(SCRIPT, units, dict(files, password="bird\n"))
    container.lives()
    assert container.wrote("engine"), container.text("story.log")
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
