"""`dbwarden domain` and pynuodb 2.6.1 side by side: what one does, the other sees."""

from entry import entered
from harness import PASSWORD, Sandbox, alive, dbwarden, main, story, until


def domain_command(sandbox, *arguments, **environment):
    """Runs a subcommand of `domain` that must work out, and returns its output."""
    environment.setdefault("DBWARDEN_PASSWORD", PASSWORD)
    code, output, complaint = dbwarden("domain", *(arguments + ("--broker", sandbox.broker())),
                                       **environment)
    assert code == 0, "%s: %s" % (code, complaint)
    return output


@story
def both_list_the_same():
    sandbox = Sandbox("--peers", 3, "--database", "teas", "--te", 2, "--sm", 1)
    with entered(sandbox) as (domain, _):
        lines = domain_command(sandbox, "show").splitlines()
        peers = {str(it) for it in domain.peers}
        assert peers == {it for it in lines if "[role=" in it}, lines
        processes = {"  %s %s" % (it, it.status) for it in domain.get_database("teas").processes}
        assert processes == {it for it in lines if "[pid=" in it}, lines
        assert any("teas" in it and "active" in it for it in lines), lines


@story
def what_the_command_line_starts_and_ends_is_told_to_the_client():
    sandbox = Sandbox("--peers", 2)
    there = "127.0.0.1:%d" % sandbox.port(2)
    with entered(sandbox) as (domain, witness):
        domain_command(sandbox, "start-sm", "teas", "--archive", sandbox.archive("teas"),
                       "--initialize", "--on", sandbox.broker())
        manager, = witness.hears("process_joined", lambda it: not it.is_transactional)
        domain_command(sandbox, "start-te", "teas", "--dba-user", "dba", "--on", there,
                       DBWARDEN_DBA_PASSWORD="goose")
        engine, = witness.hears("process_joined", lambda it: it.is_transactional)
        assert engine.peer.connect_str == there, str(engine)
        for process in (manager, engine):
            witness.hears_statuses(process, ["ACTIVE", "RUNNING"])

        domain_command(sandbox, "quiesce", "teas")
        until("a quiesced database", lambda: domain.get_database("teas").status == "QUIESCED")
        domain_command(sandbox, "unquiesce", "teas")
        until("a running database", lambda: domain.get_database("teas").status == "RUNNING")

        domain_command(sandbox, "kill", engine.pid)
        witness.hears("process_left", lambda it: it.pid == engine.pid)
        assert "SHUTTING_DOWN" not in witness.statuses(engine)
        domain_command(sandbox, "stop", manager.pid)
        witness.hears("database_left")
        assert witness.statuses(manager)[-1] == "SHUTTING_DOWN", witness.statuses(manager)
        until("the end of both", lambda: not alive(engine.pid) and not alive(manager.pid))


@story
def a_shutdown_is_told_to_the_client():
    sandbox = Sandbox("--peers", 2, "--database", "teas", "--te", 2, "--sm", 1)
    with entered(sandbox) as (_, witness):
        domain_command(sandbox, "shutdown", "teas")
        witness.hears("database_left")
        assert len(witness.all("process_left")) == 3, witness.told


@story
def tags_of_one_are_read_by_the_other():
    sandbox = Sandbox("--peers", 2)
    there = "127.0.0.1:%d" % sandbox.port(2)
    with entered(sandbox) as (domain, _):
        peer = next(it for it in domain.peers if it.connect_str == there)
        domain_command(sandbox, "tags", "set", there, "rack=a & <b>")
        assert peer.get_tag("rack") == "a & <b>", peer.tags
        peer.set_tag("zone", "c")
        assert "zone=c" in domain_command(sandbox, "tags", "get", there).splitlines()
        domain_command(sandbox, "tags", "delete", there, "rack", "zone")
        assert peer.tags == {}, peer.tags


if __name__ == "__main__":
    main()
