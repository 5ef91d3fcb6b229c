"""`find_peer` of pynuodb 2.6.1: known addresses, unknown ones, and those of another domain."""

from pynuodb.entity import Domain

from harness import PASSWORD, USER, Forward, Sandbox, main, story


@story
def a_peer_is_found_by_any_of_its_addresses():
    sandbox = Sandbox("--peers", 2, "--brokers", 1)
    domain = Domain(sandbox.broker(), USER, PASSWORD)
    forward = Forward(sandbox.port(2))
    try:
        assert domain.find_peer("localhost").id == domain.entry_peer.id
        # By number: the client dials the text of a `host:port` as it is, which Python refuses.
        found = domain.find_peer("localhost", sandbox.port(2))
        assert found is not None and int(found.port) == sandbox.port(2)
        # An address nobody told of: the client asks there who that is, after authorising itself.
        assert domain.find_peer("127.0.0.1", forward.port).id == found.id
    finally:
        forward.close()
        domain.disconnect()


@story
def a_peer_of_another_domain_is_not_found():
    sandbox, other = Sandbox("--domain", "here"), Sandbox("--domain", "there")
    domain = Domain(sandbox.broker(), USER, PASSWORD)
    try:
        assert domain.find_peer("localhost", other.port()) is None
    finally:
        domain.disconnect()


if __name__ == "__main__":
    main()
