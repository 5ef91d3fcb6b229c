"""Bare sessions of pynuodb 4.1.0: every cipher, in clear and over TLS 1.2."""

import os
import socket
import ssl
import tempfile
import xml.etree.ElementTree as ElementTree

from pynuodb.session import Session, SessionException

from harness import PASSWORD, PATIENCE, USER, Sandbox, main, refused, story

# What is offered on the wire, and what the client calls it.
CIPHERS = {"AES-256-CTR": "AES-256", "AES-128-CTR": "AES-128", "RC4": "RC4"}
RUNNING = ["--database", "teas", "--te", 1, "--sm", 1]


def opened(sandbox, service, ciphers=None, peer=1, options=None, password=PASSWORD):
    """An authorised session."""
    session = Session(sandbox.broker(peer), service=service, timeout=PATIENCE, options=options)
    session.authorize(USER, password, ciphers=ciphers)
    return session


def over_tls(sandbox):
    return {"trustStore": sandbox.ready["tls"]["ca"], "sslVersion": str(int(ssl.PROTOCOL_TLSv1_2))}


def requests_of_every_kind(sandbox, cipher, options):
    """Asks each service once, with one cipher only on offer."""
    def ask(service, attributes=None, children=None, peer=1):
        session = opened(sandbox, service, cipher, peer, options)
        assert session.cipher_name.startswith(CIPHERS[cipher]), session.cipher_name
        assert session.tls_encrypted == (options is not None)
        return ElementTree.fromstring(session.doRequest(attributes, children=children))

    identity = ask("Identity")
    assert identity.get("Domain") == "live" and identity.get("AgentId"), identity.attrib
    assert ask("State").tag != "Error"
    tag = ElementTree.Element("Tag", {"Key": "rack", "Value": cipher + " <&>\"'"})
    agent = identity.get("AgentId")
    ask("Tag", {"Action": "SetHostTags", "AgentId": agent}, [tag])
    tags = ask("Tag", {"Action": "GetHostTags", "AgentId": agent})
    assert [it.get("Value") for it in tags if it.get("Key") == "rack"] == [tag.get("Value")]
    refused("an unknown service", lambda: ask("Cooking"), SessionException)
    return identity


@story
def every_cipher_carries_requests_in_clear():
    sandbox = Sandbox("--peers", 1, "--domain", "live")
    for cipher in CIPHERS:
        requests_of_every_kind(sandbox, cipher, None)


@story
def every_cipher_carries_requests_over_tls():
    with tempfile.TemporaryDirectory(prefix="dbwarden-tls-") as folder:
        sandbox = Sandbox("--peers", 1, "--domain", "live", "--tls", folder)
        for cipher in CIPHERS:
            requests_of_every_kind(sandbox, cipher, over_tls(sandbox))


@story
def the_strongest_cipher_on_offer_is_chosen():
    sandbox = Sandbox("--peers", 1)
    assert opened(sandbox, "State").cipher_name == "AES-256"
    assert opened(sandbox, "State", "RC4,AES-128-CTR").cipher_name == "AES-128"
    modest = Sandbox("--peers", 1, "--ciphers", "AES-128-CTR")
    assert opened(modest, "State").cipher_name == "AES-128"
    refused("no cipher in common", lambda: opened(modest, "State", "RC4"))


@story
def a_wrong_password_is_refused_under_every_cipher():
    sandbox = Sandbox("--peers", 1)
    for cipher in CIPHERS:
        refused("a wrong password", lambda: opened(sandbox, "State", cipher, password="wrong"),
                SessionException)


@story
def identity_needs_no_authorisation_and_sql_is_not_spoken():
    sandbox = Sandbox("--peers", 1, "--domain", "live")
    session = Session(sandbox.broker(), service="Identity", timeout=PATIENCE)
    assert ElementTree.fromstring(session.doRequest()).get("Domain") == "live"
    session = Session(sandbox.broker(), timeout=PATIENCE)
    session.doConnect({"Database": "teas"})
    assert ElementTree.fromstring(session.recv()).tag == "Error"
    session = Session(sandbox.broker(), service="State", timeout=PATIENCE)
    refused("a request without authorisation", session.doRequest, SessionException)


@story
def a_monitor_is_told_of_a_start_by_another_session():
    for options in (None, over_tls):
        with tempfile.TemporaryDirectory(prefix="dbwarden-tls-") as folder:
            arguments = ["--peers", 2, "--brokers", 1] + RUNNING
            sandbox = Sandbox(*(arguments + (["--tls", folder] if options else [])))
            watch_a_start(sandbox, options(sandbox) if options else None)


def watch_a_start(sandbox, options):
    monitor = opened(sandbox, "Monitor", options=options)
    monitor.doConnect()
    status = ElementTree.fromstring(monitor.recv())
    assert status.tag == "Status" and status.get("Role") == "Broker", status.attrib
    assert all(status.get(it) for it in ("Domain", "AgentId", "Hostname", "Version"))
    other = status.findall("Broker")
    assert [int(it.get("Port")) for it in other] == [sandbox.port(2)], "the entry peer is no child"
    assert [it.get("Name") for it in status.findall("Database")] == ["teas"]
    assert len(status.findall("Database/Process")) == 2

    # A start goes to the agent of the peer it is meant for.
    option = ElementTree.Element("Option", {"option": "--database", "value": "teas"})
    start = opened(sandbox, "ProcessStart", peer=2, options=options)
    reply = ElementTree.fromstring(start.doRequest({"Process": "server"}, children=[option]))
    start_id = reply.get("StartId")
    assert start_id, reply.attrib

    event = ElementTree.fromstring(monitor.recv())
    process = event.find("Process")
    assert event.get("Type") == "NewProcess", event.attrib
    assert event.get("StartId") is None and process.get("StartId") == start_id
    assert process.get("AgentId") == other[0].get("AgentId")
    assert (process.get("Database"), process.get("NodeType")) == ("teas", "1"), process.attrib
    for expected in ("ACTIVE", "RUNNING"):
        event = ElementTree.fromstring(monitor.recv())
        assert event.get("Type") == "StatusChanged", event.attrib
        assert event.get("Status") == expected, event.attrib
        assert event.find("Process").get("ProcessId") == process.get("ProcessId")

    stop = opened(sandbox, "ProcessStop", peer=2, options=options)
    reply = ElementTree.fromstring(stop.doRequest({"PID": process.get("ProcessId")}))
    int(reply.get("ExitCode"))
    event = ElementTree.fromstring(monitor.recv())
    assert event.get("Type") == "ProcessExit", event.attrib
    assert event.find("Process").get("ProcessId") == process.get("ProcessId")
    # Nothing more is told of it: what comes next is the next start.
    opened(sandbox, "ProcessStart", peer=2, options=options).doRequest(
        {"Process": "server"}, children=[option])
    event = ElementTree.fromstring(monitor.recv())
    assert event.get("Type") == "NewProcess", event.attrib
    monitor.close()


@story
def an_unknown_authority_and_a_plain_client_get_nowhere():
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        sandbox = Sandbox("--peers", 1, "--tls", one)
        other = Sandbox("--peers", 1, "--tls", two)
        refused("an unknown authority",
                lambda: opened(sandbox, "State", options=over_tls(other)), ssl.SSLError)
        refused("a session in clear", lambda: opened(sandbox, "State"))
        assert opened(sandbox, "State", options=over_tls(sandbox)).tls_encrypted
        assert os.path.exists(sandbox.ready["tls"]["ca"])


@story
def the_probe_is_answered():
    sandbox = Sandbox("--peers", 2, "--brokers", 1)
    for number in (1, 2):
        with socket.create_connection(("127.0.0.1", sandbox.port(number)), PATIENCE) as probe:
            probe.sendall(b"~~~~stat ")
            answer = b""
            while True:
                data = probe.recv(64)
                if not data:
                    break
                answer += data
        assert answer.strip() == b"<ok/>", answer


if __name__ == "__main__":
    main()
