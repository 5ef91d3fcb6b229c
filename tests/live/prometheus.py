"""Debian's Prometheus scrapes the daemon over TCP, and alerts of the shipped rules fire.

It starts a Prometheus of its own on loopback, which alerts nobody; what fires is read from its
interface. The rules are those of `config/prometheus`, as they are: the alerts that fire here are
among those that wait for nothing. How long the others wait is tried by promtool, whose time passes
at once.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import urllib.error
import urllib.parse
import urllib.request

from harness import PATIENCE, Program, Sandbox, dbwarden, main, story, until
from remote import OPERATOR, VIEWER, Remote

RULES = os.path.join(os.path.dirname(__file__), "../../config/prometheus/rules.yml")
TIMES = os.path.join(os.path.dirname(__file__), "prometheus.yml")

# Asks every second, so that nobody waits; nothing of the rules is different by that.
CONFIG = """
global: {{ scrape_interval: 1s, evaluation_interval: 1s }}
rule_files: ["{rules}"]
scrape_configs:
  - job_name: dbwarden
    authorization: {{ credentials_file: "{token}" }}
    static_configs: [{{ targets: ["{target}"] }}]
"""

# One try, then a person is needed.
HELD = """
[[policy]]
stages = [{ where = "here", tries = 1 }]
after-stages = "hold"
min-uptime = "50ms"
return-grace = "50ms"
confirm-for = "100ms"
delay-first = "50ms"
"""


class Prometheus(Program):
    """Debian's, with a memory of its own."""

    def __init__(self, warden):
        self.folder = tempfile.TemporaryDirectory(prefix="dbwarden-live-")
        config = os.path.join(self.folder.name, "prometheus.yml")
        with open(config, "w") as file:
            file.write(CONFIG.format(rules=os.path.abspath(RULES), token=warden.path("viewer"),
                                     target=warden.address))
        with socket.create_server(("127.0.0.1", 0)) as reserved:
            port = reserved.getsockname()[1]
        self.url = "http://127.0.0.1:%d" % port
        super().__init__(shutil.which("prometheus"), "--config.file=" + config,
                         "--storage.tsdb.path=" + os.path.join(self.folder.name, "data"),
                         "--web.listen-address=127.0.0.1:%d" % port)
        until("Prometheus to answer", self._is_ready)

    def _is_ready(self):
        assert self.process.poll() is None, "Prometheus ended"
        try:
            with urllib.request.urlopen(self.url + "/-/ready", timeout=PATIENCE) as answer:
                return answer.status == 200
        except (urllib.error.URLError, ConnectionError):
            return False

    def get(self, path, **query):
        url = "%s/api/v1/%s?%s" % (self.url, path, urllib.parse.urlencode(query))
        with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
            return json.load(answer)["data"]

    def scrapes(self):
        """Returns how the last scrape went; nothing before the first one."""
        return next((it["health"] for it in self.get("targets")["activeTargets"]), None)

    def number(self, expression):
        """Returns what an expression is now; nothing if it is nothing."""
        result = self.get("query", query=expression)["result"]
        return float(result[0]["value"][1]) if result else None

    def alert(self, name, state="firing"):
        """Returns the labels of an alert that fires, or is about to."""
        return [it["labels"] for it in self.get("alerts")["alerts"]
                if it["labels"]["alertname"] == name and it["state"] == state]

    def rules(self):
        return self.get("rules")["groups"][0]["rules"]


def promtool(*arguments, given=""):
    """Has promtool judge something; returns what it says, which has to be no complaint."""
    done = subprocess.run(("promtool",) + arguments, input=given, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, universal_newlines=True)
    assert done.returncode == 0, done.stdout
    return done.stdout


def an_engine(sandbox):
    """Returns a transaction engine: its process, and the number of its peer."""
    code, listed, complaint = dbwarden("sandbox-ctl", "--control", sandbox.ready["control"],
                                       "list", "--json")
    assert code == 0, complaint
    return next((it["pid"], it["peer"]) for it in json.loads(listed)["engines"]
                if it["role"] == "TE")


@story
def promtool_has_nothing_against_metrics_and_rules():
    assert "17 rules found" in promtool("check", "rules", RULES)
    warden = Remote(Sandbox("--peers", 2, "--database", "teas", "--te", 1, "--sm", 1), HELD)
    code, metrics = warden.ask("GET", "/metrics", VIEWER)
    assert code == 200 and "dbwarden_engines_running" in metrics, metrics
    said = promtool("check", "metrics", given=metrics)
    assert said == "", said


@story
def an_alert_fires_when_it_is_to_and_not_before():
    said = promtool("test", "rules", TIMES)
    assert "SUCCESS" in said, said


@story
def a_held_slot_fires_and_a_person_who_releases_it_ends_that():
    sandbox = Sandbox("--peers", 2, "--database", "teas", "--te", 2, "--sm", 1)
    warden = Remote(sandbox, HELD)
    prometheus = Prometheus(warden)
    running = 'dbwarden_engines_running{database="teas"}'
    until("the engines to be counted", lambda: prometheus.number(running) == 2)
    assert prometheus.scrapes() == "up"
    until("the dead man's switch", lambda: prometheus.alert("DbwardenDeadMansSwitch"))
    until("every rule to be judged", lambda: all(
        it["health"] == "ok" for it in prometheus.rules()))
    assert not prometheus.alert("DbwardenSlotHeld")

    pid, peer = an_engine(sandbox)
    sandbox.ask("fail-next", peer, "--reason", "the disk is on fire")
    os.kill(pid, signal.SIGKILL)
    labels = until("a held slot to fire", lambda: prometheus.alert("DbwardenSlotHeld"))[0]
    assert labels["domain"] == "live" and labels["severity"] == "critical", labels
    # It waits a quarter of an hour before it fires.
    until("an engine to be missed", lambda: prometheus.alert("DbwardenEnginesMissing", "pending"))
    held = [it["slot"] for it in warden.domain()["slots"] if it["phase"] == "held"]
    assert len(held) == 1, warden.domain()
    code, said = warden.ask("POST", "/api/v1/domains/live/release", OPERATOR,
                            {"target": "teas/" + held[0]})
    assert code == 200, said
    until("another engine", lambda: prometheus.number(running) == 2)
    until("the alerts to end", lambda: not prometheus.alert("DbwardenSlotHeld")
          and not prometheus.alert("DbwardenEnginesMissing", "pending"))
    firing = [it["name"] for it in prometheus.rules() if it["state"] == "firing"]
    assert firing == ["DbwardenDeadMansSwitch"], firing


@story
def a_daemon_that_is_killed_is_missed():
    warden = Remote(Sandbox("--peers", 2, "--database", "teas", "--te", 1, "--sm", 1), HELD)
    prometheus = Prometheus(warden)
    until("the first scrape", lambda: prometheus.scrapes() == "up")
    warden.end(signal.SIGKILL)
    until("the target to be down", lambda: prometheus.scrapes() == "down")
    # It waits two minutes before it fires.
    until("the daemon to be missed", lambda: prometheus.alert("DbwardenGone", "pending"))


if __name__ == "__main__":
    main()
