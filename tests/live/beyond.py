"""Beyond loopback nothing but `/live` answers without a token.

The script runs in a network of its own that leads nowhere, with one address that is not on
loopback: the daemon takes whoever comes by it for somebody elsewhere.
"""

import json
import os
import subprocess
import sys

from harness import Sandbox, dbwarden, main, story
from remote import OPERATOR, VIEWER, Remote

# One of those that are for documentation, and nobody's.
ELSEWHERE = "192.0.2.1"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def enter():
    """Goes on in a network of its own, unless it is there already."""
    if os.environ.get("DBWARDEN_BEYOND") is None:
        os.environ["DBWARDEN_BEYOND"] = "there"
        os.execvp("unshare", ["unshare", "--net", "--map-root-user", sys.executable] + sys.argv)
    for arguments in (["link", "set", "lo", "up"],
                      ["address", "add", ELSEWHERE + "/32", "dev", "lo"]):
        subprocess.run(["ip"] + arguments, check=True)


@story
def without_a_token_nothing_but_whether_it_lives_is_told():
    warden = Remote(Sandbox("--peers", 2, "--database", "teas", "--te", 1, "--sm", 1),
                    listen=ELSEWHERE + ":0")
    assert warden.address.startswith(ELSEWHERE + ":"), warden.address
    description = json.loads(warden.ask("GET", "/api/v1/openapi.json", VIEWER)[1])
    addresses = [it.replace("{domain}", "live") for it in description["paths"]]
    assert len(addresses) > 30, addresses
    addresses += ["/", "/nowhere", "/live/", "//live", "/live/../metrics", "/LIVE", "/live%2f"]
    asked = 0
    for address in addresses:
        for method in METHODS:
            body = {} if method in ("POST", "PUT", "PATCH") else None
            looks = method in ("GET", "HEAD")
            for token in (None, "x" * 24, VIEWER[:-1]):
                code, said = warden.ask(method, address, token, body)
                if address == "/live" and not token:
                    expected = 200 if looks else 403
                else:
                    expected = 401
                assert code == expected, (method, address, token, code, said)
                if code != 200 and method != "HEAD":
                    assert json.loads(said)["status"] == code, said
                asked += 1
            if not looks:
                code, said = warden.ask(method, address, VIEWER, body)
                assert code == 403, (method, address, code, said)
    print("       %d addresses, %d requests" % (len(addresses), asked))
    # Neither does a header that somebody on this machine could send.
    for headers in ({"Host": "localhost"}, {"Host": "127.0.0.1"}, {"X-Forwarded-For": "127.0.0.1"},
                    {"Forwarded": "for=127.0.0.1"}, {"X-Real-Ip": "127.0.0.1"}):
        assert warden.ask("GET", "/api/v1/status", None, **headers)[0] == 401, headers
    assert warden.ask("GET", "/api/v1/status", VIEWER)[0] == 200
    code, said = warden.ask("POST", "/api/v1/domains/live/hold", OPERATOR,
                            {"target": "teas/te/1", "reason": "a new disk"})
    assert code == 200, said


@story
def what_would_let_in_nobody_or_everybody_is_refused():
    warden = Remote(Sandbox("--peers", 2, "--database", "teas", "--te", 1, "--sm", 1))
    with open(warden.path("dbwarden.toml")) as file:
        text = file.read()
    before, rest = text.split("[[api.token]]", 1)
    listen = before.replace("127.0.0.1:0", "0.0.0.0:0")
    path = warden.write("nobody.toml", listen + "[[domain]]" + rest.split("[[domain]]", 1)[1])
    code, _, complaint = dbwarden("check", path)
    assert code == 78, complaint
    assert "api.listen: is not on loopback, and nobody could be let in there; " \
        "add an [[api.token]], or `client-ca` to `tls`" in complaint, complaint
    code, _, complaint = dbwarden("run", "--config", path)
    assert code == 78, complaint


if __name__ == "__main__":
    enter()
    main()
