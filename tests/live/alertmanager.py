"""A database that is inactive is an alert of Debian's Alertmanager, and none any more when it is not.

It starts an Alertmanager of its own on loopback, which notifies nobody. What fires is read from its
interface, as anybody would.
"""

import json
import os
import shutil
import signal
import socket
import tempfile
import urllib.error
import urllib.request

from harness import (PASSWORD, PATIENCE, USER, Child, Program, Sandbox, dbwarden, main, story,
                     until)

CONFIG = """
[daemon]
state-directory = "{folder}/state"
socket = "{folder}/dbwarden.sock"
mode = "observe"
stop-grace = "5s"

[[domain]]
name = "live"
brokers = "{broker}"
user = "{user}"
password = {{ file = "{folder}/password" }}
settle = "50ms"
reconnect-first = "50ms"
reconnect-max = "200ms"

[[listener]]
name = "alerts"
kind = "alertmanager"
url = "{url}"
labels = {{ team = "db" }}
resend-every = "{resend_every}"

[[listener]]
name = "witness"
kind = "exec"
command = ["/usr/bin/touch", "{folder}/told"]
events = ["database_active"]
"""

# Groups nothing, waits for nothing, notifies nobody.
QUIET = """
route: {receiver: none, group_wait: 0s}
receivers: [{name: none}]
"""


class Alertmanager(Program):
    """Debian's, with a memory of its own."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="dbwarden-live-")
        config = os.path.join(self.folder.name, "alertmanager.yml")
        with open(config, "w") as file:
            file.write(QUIET)
        with socket.create_server(("127.0.0.1", 0)) as reserved:
            port = reserved.getsockname()[1]
        self.url = "http://127.0.0.1:%d" % port
        super().__init__(shutil.which("prometheus-alertmanager"), "--config.file=" + config,
                         "--storage.path=" + self.folder.name,
                         "--web.listen-address=127.0.0.1:%d" % port, "--cluster.listen-address=")
        until("the Alertmanager to answer", self._is_ready)

    def _is_ready(self):
        assert self.process.poll() is None, "the Alertmanager ended"
        try:
            with urllib.request.urlopen(self.url + "/-/ready", timeout=PATIENCE) as answer:
                return answer.status == 200
        except (urllib.error.URLError, ConnectionError):
            return False

    def firing(self):
        """Returns what fires, by the name of the alert."""
        url = self.url + "/api/v2/alerts?active=true"
        with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
            return {it["labels"]["alertname"]: it for it in json.load(answer)}


class Warden(Child):
    """A daemon that heals nothing; one that is started again remembers."""

    def __init__(self, sandbox, alertmanager, resend_every, folder=None):
        self.folder = folder or tempfile.TemporaryDirectory(prefix="dbwarden-live-")
        self._write("password", PASSWORD + "\n")
        self._write("dbwarden.toml", CONFIG.format(
            folder=self.folder.name, broker=sandbox.broker(), user=USER, url=alertmanager.url,
            resend_every=resend_every))
        super().__init__("run", "--config", os.path.join(self.folder.name, "dbwarden.toml"))

    def knows_the_database(self):
        """Waits until it is told of, which the second listener writes down."""
        told = os.path.join(self.folder.name, "told")
        until("the database to be known", lambda: os.path.exists(told))

    def _write(self, name, text):
        path = os.path.join(self.folder.name, name)
        with open(path, "w") as file:
            file.write(text)
        os.chmod(path, 0o600)


def lose_last_engine(sandbox):
    """Kills the only transaction engine there is."""
    code, listed, complaint = dbwarden("sandbox-ctl", "--control", sandbox.ready["control"],
                                       "list", "--json")
    assert code == 0, complaint
    engines = [it for it in json.loads(listed)["engines"] if it["role"] == "TE"]
    assert len(engines) == 1, listed
    os.kill(engines[0]["pid"], signal.SIGKILL)


@story
def an_inactive_database_fires_across_a_restart_and_resolves_when_it_is_back():
    alertmanager = Alertmanager()
    sandbox = Sandbox("--peers", 2, "--database", "teas", "--te", 1, "--sm", 1)
    warden = Warden(sandbox, alertmanager, resend_every="1m")
    warden.knows_the_database()
    lose_last_engine(sandbox)
    alert = until("the alert to fire", lambda: alertmanager.firing().get("DatabaseInactive"))
    assert alert["status"]["state"] == "active", alert
    labels = {"alertname": "DatabaseInactive", "domain": "live", "database": "teas",
              "severity": "critical", "team": "db"}
    assert alert["labels"] == labels, alert
    assert "event_id" in alert["annotations"], alert

    # Without goodbye; nothing is told of the database while nobody watches, nor afterwards.
    warden.end(signal.SIGKILL)
    warden = Warden(sandbox, alertmanager, resend_every="1m", folder=warden.folder)
    told = until("the alert to be told again", lambda: [
        it for it in [alertmanager.firing()["DatabaseInactive"]]
        if it["updatedAt"] > alert["updatedAt"]])[0]
    assert told["startsAt"] == alert["startsAt"], (told, alert)
    assert told["labels"] == labels, told

    # It does not run out by itself for minutes.
    password = os.path.join(warden.folder.name, "password")
    code, _, complaint = dbwarden("domain", "start-te", "teas", "--broker", sandbox.broker(),
                                  "--password-file", password)
    assert code == 0, complaint
    until("the alert to resolve", lambda: "DatabaseInactive" not in alertmanager.firing())


@story
def an_alert_of_a_daemon_that_is_gone_for_good_runs_out():
    alertmanager = Alertmanager()
    sandbox = Sandbox("--peers", 2, "--database", "teas", "--te", 1, "--sm", 1)
    warden = Warden(sandbox, alertmanager, resend_every="500ms")
    warden.knows_the_database()
    lose_last_engine(sandbox)
    alert = until("the alert to fire", lambda: alertmanager.firing().get("DatabaseInactive"))
    until("the alert to be told again", lambda:
          alertmanager.firing()["DatabaseInactive"]["endsAt"] > alert["endsAt"])
    warden.end(signal.SIGKILL)
    until("the alert to run out", lambda: "DatabaseInactive" not in alertmanager.firing())


if __name__ == "__main__":
    main()
