"""The way into a domain by pynuodb 2.x, which alone has a `Domain`."""

import contextlib

from pynuodb.entity import Domain

from harness import PASSWORD, USER, Witness


@contextlib.contextmanager
def entered(sandbox, broker=1):
    """A domain entered through one of its brokers, and the listener that watches it."""
    witness = Witness()
    domain = Domain(sandbox.broker(broker), USER, PASSWORD, witness)
    try:
        yield domain, witness
    finally:
        domain.disconnect()
