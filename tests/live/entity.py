"""The whole session of NuoDB's introduction to its management interfaces, by pynuodb 2.x's `Domain`.

Run under 2.3.3 and under 2.6.1: the two know different halves of the cipher negotiation.
"""

import os
import re
import signal
import socket
import xml.etree.ElementTree as ElementTree

from pynuodb import util
from pynuodb.entity import Domain
from pynuodb.session import SessionException

from entry import entered
from harness import PASSWORD, USER, Sandbox, alive, main, refused, story, until

DBA = [("--dba-user", "dba"), ("--dba-password", "goose")]
RUNNING = ["--database", "teas", "--te", 2, "--sm", 1]
PATIENT = 15


def is_process(process):
    return lambda it, *_: it.pid == process.pid


@story
def peers_are_listed_as_in_the_introduction():
    sandbox = Sandbox("--peers", 3, "--brokers", 2, "--domain", "live")
    with entered(sandbox) as (domain, witness):
        assert domain.domain_name == "live", domain.domain_name
        assert str(domain) == "live [Entered through: %s]" % sandbox.broker(), str(domain)
        listed = sorted(str(it) for it in domain.peers)
        assert listed == sorted([
            "localhost:%d [role=broker]" % sandbox.port(1),
            "127.0.0.1:%d [role=broker]" % sandbox.port(2),
            "127.0.0.1:%d [role=agent]" % sandbox.port(3),
        ]), listed
        assert len(witness.all("peer_joined")) == 3, witness.told
        assert all(it.hostname and it.version for it in domain.peers)
        assert not list(domain.databases)
    assert len(witness.all("closed")) == 1, witness.told


@story
def any_broker_is_an_entry():
    sandbox = Sandbox("--peers", 3, "--brokers", 2)
    with entered(sandbox, broker=2) as (domain, _):
        assert domain.entry_peer.connect_str == sandbox.broker(2)
        assert len(list(domain.peers)) == 3, [str(it) for it in domain.peers]
    refused("an agent as an entry", lambda: Domain(sandbox.broker(3), USER, PASSWORD))


@story
def a_database_is_started_and_listed():
    sandbox = Sandbox("--peers", 2)
    with entered(sandbox) as (domain, witness):
        here = domain.entry_peer
        there = next(it for it in domain.peers if it != here)

        manager = here.start_storage_manager("teas", sandbox.archive("teas"), True,
                                             wait_seconds=PATIENT)
        assert re.match(r"^localhost:\d+ \[pid=\d+\] \(SM\)$", str(manager)), str(manager)
        assert manager.wait_for_status("RUNNING", PATIENT), manager.status
        engine = here.start_transaction_engine("teas", DBA, wait_seconds=PATIENT)
        assert re.match(r"^localhost:\d+ \[pid=\d+\] \(TE\)$", str(engine)), str(engine)
        remote = there.start_transaction_engine("teas", wait_seconds=PATIENT)
        assert re.match(r"^127.0.0.1:\d+ \[pid=\d+\] \(TE\)$", str(remote)), str(remote)

        for process in (manager, engine, remote):
            witness.hears("process_joined", is_process(process))
            assert process.wait_for_status("RUNNING", PATIENT), process.status
            witness.hears_statuses(process, ["ACTIVE", "RUNNING"])
            assert alive(process.pid)
            # An engine listens, and does not keep a stranger waiting.
            with socket.create_connection(("127.0.0.1", process.port), PATIENT) as connection:
                assert connection.recv(1) == b""
        assert [it.name for it, in witness.all("database_joined")] == ["teas"]
        database = domain.get_database("teas")
        assert database.status == "RUNNING", database.status
        assert database.storage_managers == [manager]
        assert sorted(it.pid for it in database.transaction_engines) == sorted(
            [engine.pid, remote.pid])
        assert [it.pid for it in there.get_local_processes("teas")] == [remote.pid]

        # Who enters now is told what already runs, once each, with its true status.
        with entered(sandbox) as (_, late):
            joined = [it for it, in late.all("process_joined")]
            assert sorted(it.pid for it in joined) == sorted(
                [manager.pid, engine.pid, remote.pid])
            assert {it.status for it in joined} == {"RUNNING"}, [it.status for it in joined]
            assert all(it.node_id > 0 for it in joined), [it.node_id for it in joined]
            assert [it.name for it, in late.all("database_joined")] == ["teas"]
            assert len(late.all("peer_joined")) == 2


@story
def a_second_storage_manager_synchronizes():
    sandbox = Sandbox("--peers", 2, "--database", "teas", "--te", 1, "--sm", 1)
    with entered(sandbox) as (domain, witness):
        taken = {it.peer for it in domain.get_database("teas").storage_managers}
        peer = next(it for it in domain.peers if it not in taken)
        manager = peer.start_storage_manager("teas", sandbox.archive("two"), True,
                                             wait_seconds=PATIENT)
        witness.hears_statuses(manager, ["ACTIVE", "SYNCING", "RUNNING"])


@story
def a_start_that_fails_says_why():
    sandbox = Sandbox("--peers", 1)
    with entered(sandbox) as (domain, witness):
        peer, missing, archive = domain.entry_peer, sandbox.archive("no"), sandbox.archive("yes")
        raised = refused("an archive that is not there", lambda: peer.start_storage_manager(
            "teas", missing, False, wait_seconds=PATIENT), SessionException)
        assert missing in str(raised), raised
        failed, reason = witness.hears("process_failed")
        assert failed == peer and missing in reason, reason
        # Real brokers tell it twice; the second time they do not know why.
        until("the second process_failed", lambda: len(witness.all("process_failed")) == 2)
        assert witness.all("process_failed")[1][1].strip() == "Unknown startup failure"

        peer.start_storage_manager("teas", archive, True, wait_seconds=PATIENT)
        raised = refused("an archive in use", lambda: peer.start_storage_manager(
            "teas", archive, False, wait_seconds=PATIENT), SessionException)
        assert "Archive is already in use: %s" % archive in str(raised), raised
        assert len(domain.get_database("teas").storage_managers) == 1


@story
def a_killed_engine_leaves_once():
    sandbox = Sandbox("--peers", 1, *RUNNING)
    with entered(sandbox) as (domain, witness):
        first, second = domain.get_database("teas").transaction_engines
        first.kill()
        witness.hears("process_left", is_process(first))
        until("its end", lambda: not alive(first.pid))
        assert [it.pid for it in domain.get_database("teas").transaction_engines] == [second.pid]

        # The next thing told bounds what was told of the first.
        os.kill(second.pid, signal.SIGKILL)
        witness.hears("process_left", is_process(second))
        assert len(witness.all("process_left", is_process(first))) == 1, witness.told
        assert "SHUTTING_DOWN" not in witness.statuses(first) + witness.statuses(second)
        assert not witness.all("database_left"), "the storage manager still runs"


@story
def an_engine_stops_in_good_order():
    sandbox = Sandbox("--peers", 1, *RUNNING)
    with entered(sandbox) as (domain, witness):
        engine = domain.get_database("teas").transaction_engines[0]
        engine.shutdown()
        witness.hears("process_left", is_process(engine))
        until("its end", lambda: not alive(engine.pid))
        assert witness.statuses(engine) == ["SHUTTING_DOWN"], witness.statuses(engine)


@story
def a_database_quiesces_and_comes_back():
    sandbox = Sandbox("--peers", 1, *RUNNING)
    with entered(sandbox) as (domain, witness):
        database = domain.get_database("teas")
        processes = list(database.processes)
        assert len(processes) == 3
        database.quiesce(wait_seconds=PATIENT)
        assert database.status == "QUIESCED", database.status
        database.unquiesce(wait_seconds=PATIENT)
        assert database.status == "RUNNING", database.status
        for process in processes:
            witness.hears_statuses(process, ["QUIESCING", "QUIESCED", "UNQUIESCING", "RUNNING"])


@story
def tags_are_set_read_and_deleted():
    sandbox = Sandbox("--peers", 2, "--brokers", 1)
    with entered(sandbox) as (domain, _):
        for peer in domain.peers:
            before = peer.tags
            peer.set_tag("rack", "r-%s" % peer.port)
            peer.set_tag("zone", "a &amp; b")
            assert peer.get_tag("rack") == "r-%s" % peer.port
            assert peer.get_tag("zone") == "a & b"
            peer.set_tag("zone", "c")
            assert peer.get_tag("zone") == "c"
            peer.delete_tag("rack")
            peer.delete_tag("zone")
            assert peer.tags == before, peer.tags


@story
def a_wrong_password_is_refused():
    sandbox = Sandbox("--peers", 1)
    raised = refused("a wrong password", lambda: Domain(sandbox.broker(), USER, "wrong"))
    assert "password" in str(raised), raised
    refused("an unknown user", lambda: Domain(sandbox.broker(), "nobody", PASSWORD))
    with entered(sandbox) as (domain, _):
        assert len(list(domain.peers)) == 1


@story
def a_database_is_shut_down_in_good_order():
    sandbox = Sandbox("--peers", 2, *RUNNING)
    with entered(sandbox) as (domain, witness):
        database = domain.get_database("teas")
        pids = [it.pid for it in database.processes]
        database.shutdown()
        gone, = witness.hears("database_left")
        assert gone.name == "teas"
        assert sorted(it.pid for it, in witness.all("process_left")) == sorted(pids)
        assert domain.get_database("teas") is None
        until("the end of every engine", lambda: not any(alive(it) for it in pids))
        until("a database that is gone for others too", lambda: not left_in(sandbox))


def left_in(sandbox):
    with entered(sandbox) as (domain, _):
        return list(domain.databases)


@story
def a_database_is_killed():
    sandbox = Sandbox("--peers", 1, *RUNNING)
    with entered(sandbox) as (domain, witness):
        domain.get_database("teas").shutdown(graceful=False)
        witness.hears("database_left")
        assert len(witness.all("process_left")) == 3, witness.told


@story
def a_peer_leaves_and_returns():
    sandbox = Sandbox("--peers", 2, "--brokers", 1)
    with entered(sandbox) as (domain, witness):
        before = next(it for it in domain.peers if it != domain.entry_peer)
        sandbox.ask("lose", 2)
        left, = witness.hears("peer_left")
        assert left.id == before.id
        assert len(list(domain.peers)) == 1
        sandbox.ask("return", 2)
        back, = witness.hears("peer_joined", lambda it: it.port == before.port
                              and it.id not in (before.id, domain.entry_peer.id))
        assert back.connect_str == before.connect_str


@story
def a_broker_that_goes_is_told():
    sandbox = Sandbox("--peers", 1, *RUNNING)
    with entered(sandbox) as (domain, witness):
        pids = [it.pid for it in domain.get_database("teas").processes]
        assert sandbox.end() == 0
        witness.hears("closed")
        assert not any(alive(it) for it in pids), "the sandbox left engines behind"


@story
def a_sandbox_that_is_killed_takes_its_engines_along():
    sandbox = Sandbox("--peers", 1, *RUNNING)
    with entered(sandbox) as (domain, witness):
        pids = [it.pid for it in domain.get_database("teas").processes]
        sandbox.end(signal.SIGKILL)
        witness.hears("closed")
        until("the end of its engines", lambda: not any(alive(it) for it in pids))


@story
def a_peer_says_who_it_is_and_how_it_is():
    sandbox = Sandbox("--peers", 2, "--brokers", 1, "--domain", "live")
    with entered(sandbox) as (domain, _):
        known = {int(it.port): it.id for it in domain.peers}
    for number in (1, 2):
        root = ElementTree.fromstring(util.getIdentity(sandbox.broker(number)))
        assert root.get("Domain") == "live", root.attrib
        assert root.get("AgentId") == known[sandbox.port(number)], root.attrib
        state = ElementTree.fromstring(util.getState(sandbox.broker(number), USER, PASSWORD))
        assert state.tag != "Error", state.attrib


if __name__ == "__main__":
    main()
