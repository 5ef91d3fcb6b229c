"""Schemathesis asks the daemon over TCP whatever its own description allows, and what it does not.

As an operator it finds no server error, and nothing that the description does not say; as a viewer
it changes nothing. The daemon heals a sandbox meanwhile, so that what is asked for is done.
"""

import json
import os
import re
import subprocess
import sys
import time

from harness import Sandbox, main, story, until
from remote import OPERATOR, VIEWER, Remote

# What streams never ends, and a client that reads to the end waits for ever: it has stories of its
# own, in tests/it/api. Where something may be followed, it is not, for the same reason.
STREAM = "/api/v1/events/stream"

SETTINGS = """
[parameters]
follow = false
{more}
"""

# How much is asked of each operation.
EXAMPLES = 25


class Warden(Remote):
    """A daemon that heals what is asked for."""

    def operations(self):
        """Returns the method and the address of everything that can be asked, of our domain."""
        description = json.loads(self.ask("GET", "/api/v1/openapi.json", VIEWER)[1])
        return [(method.upper(), path.replace("{domain}", "live"))
                for path, item in description["paths"].items()
                for method in item if method in ("get", "post")]

    def state(self):
        """Returns everything that somebody could have changed."""
        status = self.status()
        domain = status["domains"][0]
        # What is found out with time is nobody's doing: that a seat is wanted, versions, numbers.
        slots = [(it["slot"], it["phase"], it.get("pid"), it["tries"]) for it in domain["slots"]]
        processes = [(it["peer"], it["pid"], it["status"]) for it in domain["processes"]]
        # Every event has a number, and whatever changes something is an event.
        return {
            "daemon": status["daemon"],
            "domain": {it: domain.get(it) for it in ("last_seq", "mode", "gates", "orders",
                                                     "actions")},
            "slots": slots,
            "processes": processes,
            "log": self.ask("GET", "/api/v1/log", OPERATOR),
            "letters": self.ask("GET", "/api/v1/dead-letters", OPERATOR),
        }

    def whatever(self, token, checks, more=""):
        """Has schemathesis ask; returns how many cases it tried."""
        settings = self.write("schemathesis.toml", SETTINGS.format(more=more))
        done = subprocess.run(
            [os.path.join(os.path.dirname(sys.executable), "st"), "--config-file", settings,
             "--no-color", "run", "http://%s/api/v1/openapi.json" % self.address,
             "--header", "Authorization: Bearer " + token, "--checks", checks,
             "--exclude-path", STREAM, "--max-examples", str(EXAMPLES), "--seed", "5",
             "--request-timeout", "15", "--continue-on-failure", "--warnings", "off",
             "--phases", "examples,coverage,fuzzing"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            cwd=self.folder.name, universal_newlines=True)
        assert done.returncode == 0, done.stdout
        cases = re.search(r"(\d+) generated", done.stdout)
        assert cases, done.stdout
        return int(cases.group(1))


# What would be done if an operator said it, at one address or another.
TEMPTATIONS = [
    {"target": "teas/te/1", "reason": "a new disk"},
    {"target": "live", "seconds": 60, "reason": "a new disk"},
    {"target": "live", "seconds": 60, "reason": "a new disk", "gate": "fresh"},
    {"target": "teas", "te": 3},
    {"database": "teas"},
    {"hold": {"target": "teas/te/1"}, "reason": "a new disk"},
    {"filter": "off"},
    {"all": True},
    {},
]


@story
def an_operator_finds_no_server_error():
    sandbox = Sandbox("--peers", 2, "--database", "teas", "--te", 2, "--sm", 1)
    warden = Warden(sandbox)
    checks = ("not_a_server_error,status_code_conformance,content_type_conformance,"
              "response_schema_conformance,negative_data_rejection")
    before = warden.state()
    anywhere = warden.whatever(OPERATOR, checks)
    here = warden.whatever(OPERATOR, checks, '"path.domain" = "live"')
    print("       %d cases of any domain, %d of one that exists" % (anywhere, here))
    assert warden.ask("GET", "/live", None)[0] == 200
    assert warden.state() != before, "nothing was asked for in earnest"
    assert warden.end() == 0


@story
def a_viewer_changes_nothing():
    sandbox = Sandbox("--peers", 2, "--database", "teas", "--te", 2, "--sm", 1)
    warden = Warden(sandbox)
    before = until("the domain to be quiet", lambda: quiet(warden))
    operations = warden.operations()
    changing = sorted({path for method, path in operations if method != "GET"})
    assert len(changing) > 15, operations
    for path in sorted({path for _, path in operations}):
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            for body in TEMPTATIONS if path in changing else [{}]:
                for token, expected in ((VIEWER, 403), (None, 403), ("x" * 24, 401)):
                    code, said = warden.ask(method, path, token, body)
                    assert code == expected, (method, path, token, code, said)
                    assert json.loads(said)["status"] == expected, said
    cases = warden.whatever(VIEWER, "not_a_server_error", '"path.domain" = "live"')
    print("       %d operations, %d of them changing, %d cases"
          % (len(operations), len(changing), cases))
    after = warden.state()
    changed = {it: (before[it], after[it]) for it in before if before[it] != after[it]}
    assert not changed, changed
    # Somebody else can: what was asked for was not just nonsense.
    code, said = warden.ask("POST", "/api/v1/domains/live/hold", OPERATOR, TEMPTATIONS[0])
    assert code == 200, said
    assert warden.state() != before


def quiet(warden):
    """Returns how things are, if they stay so for a moment."""
    before = warden.state()
    time.sleep(0.5)
    return before if warden.state() == before else None


if __name__ == "__main__":
    main()
