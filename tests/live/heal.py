"""`dbwarden run` heals a database while pynuodb 2.6.1 watches, and scripts are told in order."""

import json
import os
import signal
import socket
import tempfile

from entry import entered
from harness import PASSWORD, PATIENCE, USER, Child, Sandbox, alive, main, story, until

# Everything at a hundredth of its usual pace, so that nobody waits.
CONFIG = """
[daemon]
state-directory = "{folder}/state"
socket = "{folder}/dbwarden.sock"
stop-grace = "5s"

[[domain]]
name = "live"
brokers = [{brokers}]
user = "{user}"
password = {{ file = "{folder}/password" }}
settle = "50ms"
ask-descriptions = "100ms"
reconnect-first = "50ms"
reconnect-max = "200ms"

[[domain.database]]
name = "teas"
te-options = []

[[policy]]
keep = "observed"
te = {{ min = 2 }}
stages = [{{ where = "{where}" }}, {{ where = "{other}" }}]
min-uptime = "50ms"
return-grace = "50ms"
delay-first = "50ms"
confirm-for = "200ms"

[[listener]]
name = "script"
kind = "exec"
command = ["{folder}/tell", "{folder}/told"]
"""

# What somebody might write in the evening: one line per event, appended.
TELL = '#!/bin/sh\nexec cat >>"$1"\n'


class Warden(Child):
    """A daemon under a service manager that waits for its READY=1."""

    def __init__(self, sandbox, brokers=(1, 2), where="elsewhere"):
        self.folder = tempfile.TemporaryDirectory(prefix="dbwarden-live-")
        self._write("password", PASSWORD + "\n", 0o600)
        self._write("tell", TELL, 0o700)
        self._write("dbwarden.toml", CONFIG.format(
            folder=self.folder.name,
            brokers=", ".join('"%s"' % sandbox.broker(it) for it in brokers),
            user=USER,
            where=where,
            other="here" if where == "elsewhere" else "elsewhere",
        ), 0o600)
        notified = os.path.join(self.folder.name, "notify")
        self._notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notify.bind(notified)
        self._notify.settimeout(PATIENCE)
        super().__init__("run", "--config", os.path.join(self.folder.name, "dbwarden.toml"),
                         NOTIFY_SOCKET=notified)
        self.notified("READY=1")

    def _write(self, name, text, mode):
        path = os.path.join(self.folder.name, name)
        with open(path, "w") as file:
            file.write(text)
        os.chmod(path, mode)

    def notified(self, what):
        """Waits until the service manager is told something."""
        while what not in self._notify.recv(4096).decode().splitlines():
            pass

    def told(self, kind, **about):
        """Returns the events that the script was told, of one kind and with these values."""
        return [it for it in self.events() if it["event"] == kind
                and all(it.get(key) == value for key, value in about.items())]

    def events(self):
        """Returns all that the script was told of the domain so far, in that order."""
        try:
            with open(os.path.join(self.folder.name, "told")) as file:
                lines = file.read().splitlines(keepends=True)
        except FileNotFoundError:
            return []
        events = [json.loads(it) for it in lines if it.endswith("\n")]
        return [it for it in events if it.get("domain") == "live"]

    def tells(self, kind, **about):
        """Waits until the script was told something, and returns the first."""
        return until("%s %s to be told" % (kind, about), lambda: self.told(kind, **about))[0]


def engines(domain):
    return {it.pid: it for it in domain.get_database("teas").transaction_engines}


def loses_and_gets_back(domain, witness, warden):
    """Kills an engine and waits until everybody was told of its end and of its successor."""
    before = engines(domain)
    known = {it.pid for it, in witness.all("process_joined")}
    pid, victim = next(iter(before.items()))
    warden.tells("process_joined", pid=pid)
    os.kill(pid, signal.SIGKILL)
    witness.hears("process_left", lambda it: it.pid == pid)
    successor, = witness.hears("process_joined", lambda it: it.pid not in known)
    assert successor.is_transactional and successor.database.name == "teas"
    assert successor.wait_for_status("RUNNING", PATIENCE), successor.status
    assert alive(successor.pid)

    failed = warden.tells("process_failed", pid=pid, role="TE")
    assert failed["cause"] == "exit", failed
    started = until("the start", lambda: [
        it for it in warden.told("action_started") if it["seq"] > failed["seq"]])[0]
    succeeded = warden.tells("action_succeeded", action=started["action"])
    joined = warden.tells("process_joined", pid=successor.pid)
    assert joined.get("action") in (None, started["action"]), joined
    assert failed["seq"] < started["seq"] < succeeded["seq"], (failed, started, succeeded)
    return victim, successor


@story
def a_killed_engine_is_replaced_elsewhere_and_everybody_is_told():
    sandbox = Sandbox("--peers", 4, "--database", "teas", "--te", 2, "--sm", 1)
    warden = Warden(sandbox)
    with entered(sandbox) as (domain, witness):
        warden.tells("domain_connected")
        for _ in range(2):
            victim, successor = loses_and_gets_back(domain, witness, warden)
            assert successor.peer != victim.peer, str(successor)
        # Nothing was started twice: it stops, and two run.
        warden.process.send_signal(signal.SIGTERM)
        warden.notified("STOPPING=1")
        # Waited for without a second signal, which would cut the orderly stop short.
        assert warden.process.wait(PATIENCE) == 0
        assert len(engines(domain)) == 2, [str(it) for it in engines(domain).values()]
        assert len(witness.all("process_joined")) == 5, witness.told
        order = [it["seq"] for it in warden.events()]
        assert order == list(range(order[0], order[0] + len(order))), order


@story
def an_engine_is_replaced_where_it_was():
    sandbox = Sandbox("--peers", 2, "--database", "teas", "--te", 2, "--sm", 1)
    warden = Warden(sandbox, where="here")
    with entered(sandbox) as (domain, witness):
        warden.tells("domain_connected")
        victim, successor = loses_and_gets_back(domain, witness, warden)
        assert successor.peer == victim.peer, str(successor)


@story
def an_engine_that_was_asked_to_stop_is_not_called_failed():
    sandbox = Sandbox("--peers", 2, "--database", "teas", "--te", 2, "--sm", 1)
    warden = Warden(sandbox)
    with entered(sandbox) as (domain, _):
        warden.tells("domain_connected")
        pid, engine = next(iter(engines(domain).items()))
        warden.tells("process_joined", pid=pid)
        engine.shutdown()
        left = warden.tells("process_left", pid=pid)
        assert left["role"] == "TE", left
        assert not warden.told("process_failed"), warden.events()


@story
def a_lost_broker_is_replaced_by_the_next_and_healing_goes_on():
    sandbox = Sandbox("--peers", 3, "--brokers", 2, "--database", "teas", "--te", 2, "--sm", 1)
    # The client enters by the first broker and keeps its session; the daemon loses the second.
    warden = Warden(sandbox, brokers=(2, 1))
    with entered(sandbox) as (domain, witness):
        warden.tells("domain_connected")
        sandbox.ask("drop", 2)
        warden.tells("domain_disconnected")
        warden.tells("domain_failover")
        loses_and_gets_back(domain, witness, warden)


@story
def a_described_database_is_left_to_the_domain():
    sandbox = Sandbox("--peers", 3, "--database", "teas", "--te", 2, "--sm", 1)
    warden = Warden(sandbox, where="here")
    with entered(sandbox) as (domain, witness):
        warden.tells("domain_connected")
        assert domain.create_description("teas", "Multi Host", {"REGION": "east"}, "dba", "goalie")
        assert list(domain.descriptions) == ["teas"], domain.descriptions
        description = domain.get_description("teas")
        assert (description.status, description.live_status) == ("ACTIVE", "MET"), description
        frozen = warden.tells("domain_frozen", database="teas")
        assert frozen["text"] == "gate another-healer", frozen

        # The enforcer starts another one, and we do not.
        before = engines(domain)
        os.kill(next(iter(before)), signal.SIGKILL)
        successor, = witness.hears("process_joined", lambda it: it.pid not in before
                                   and it.is_transactional and it.database.name == "teas")
        assert successor.wait_for_status("RUNNING", PATIENCE), successor.status
        warden.tells("process_joined", pid=successor.pid)
        assert not warden.told("action_started"), warden.events()

        assert domain.delete_description("teas")
        assert not list(domain.descriptions), domain.descriptions
        warden.tells("domain_thawed", database="teas")
        loses_and_gets_back(domain, witness, warden)


if __name__ == "__main__":
    main()
