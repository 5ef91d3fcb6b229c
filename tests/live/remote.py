"""A daemon that is asked over TCP, by an operator, by a viewer, and by programs of others."""

import json
import os
import tempfile
import urllib.error
import urllib.request

from harness import PASSWORD, PATIENCE, USER, Child, dbwarden, until

OPERATOR, VIEWER = "operator-0123456789abcdef", "viewer-0123456789abcdef"

CONFIG = """
[daemon]
state-directory = "{folder}/state"
socket = "{folder}/dbwarden.sock"
stop-grace = "5s"

[api]
listen = "{listen}"
[[api.token]]
name = "ada"
role = "operator"
secret = {{ file = "{folder}/operator" }}
[[api.token]]
name = "bob"
role = "viewer"
secret = {{ file = "{folder}/viewer" }}

[[domain]]
name = "live"
brokers = "{brokers}"
user = "{user}"
password = {{ file = "{folder}/password" }}
settle = "50ms"
reconnect-first = "50ms"
reconnect-max = "200ms"

[[domain.database]]
name = "teas"
te-options = []
"""


class Remote(Child):
    """A daemon of a sandbox that answers over TCP as well; it knows the domain when it is there."""

    def __init__(self, sandbox, more="", listen="127.0.0.1:0", brokers=(1,), folder=None):
        """Begins one; with the folder of another that is gone it goes on where that one ended."""
        self.folder = folder or tempfile.TemporaryDirectory(prefix="dbwarden-live-")
        for name, text in (("password", PASSWORD), ("operator", OPERATOR), ("viewer", VIEWER)):
            self.write(name, text + "\n")
        path = self.write("dbwarden.toml", CONFIG.format(
            folder=self.folder.name, brokers=", ".join(map(sandbox.broker, brokers)), user=USER,
            listen=listen) + more)
        super().__init__("run", "--config", path)
        self.address = until("the daemon to say where it listens",
                             lambda: (self.status() or {}).get("daemon", {}).get("listens"))
        until("the domain to be known", lambda: self.domain().get("processes"))

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def write(self, name, text):
        """Writes a file that only we may read, and returns its path."""
        with open(self.path(name), "w") as file:
            file.write(text)
        os.chmod(self.path(name), 0o600)
        return self.path(name)

    def status(self):
        """Returns what the daemon's socket says; nothing while there is none yet."""
        socket = self.path("dbwarden.sock")
        _, told, _ = dbwarden("status", "--json", DBWARDEN_SOCKET=socket)
        return json.loads(told) if told else None

    def domain(self):
        return self.status()["domains"][0]

    def ask(self, method, path, token, body=None, **headers):
        """Asks over TCP; returns the status and the answer."""
        if token:
            headers["Authorization"] = "Bearer " + token
        request = urllib.request.Request(
            "http://" + self.address + path, method=method, headers=headers,
            data=None if body is None else json.dumps(body).encode())
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refusal:
            return refusal.code, refusal.read().decode()
