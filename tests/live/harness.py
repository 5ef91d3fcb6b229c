"""Starts what the stories need, waits with deadlines, tells how they went, leaves nothing behind.

It knows the sandbox and the nine callbacks of a pynuodb listener; it deliberately knows no client
version, so that every script here runs on it under each of them.
"""

import atexit
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback

BINARY = os.environ["DBWARDEN"]
USER, PASSWORD = "domain", "bird"

# Long enough for a loaded machine; a story that waits for it in vain has failed.
PATIENCE = 20

_stories = []
_children = []


def story(function):
    """Marks a function as a story: its name is what it claims."""
    _stories.append(function)
    return function


def main():
    """Runs every story, in order, and ends with 0 only if all held."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    passed = failed = 0
    for function in _stories:
        began = time.monotonic()
        try:
            function()
        except Exception:  # what went wrong is told, whatever it was, and the next one runs
            failed += 1
            print("FAILED %s" % _sentence(function), flush=True)
            traceback.print_exc(file=sys.stdout)
            for child in _children:
                child.tell_log()
        else:
            passed += 1
            print("ok     %s (%.1f s)" % (_sentence(function), time.monotonic() - began), flush=True)
        finally:
            _end_children()
    with open(os.environ["COUNT"], "w") as count:
        count.write("%d %d" % (passed, failed))
    sys.exit(1 if failed else 0)


def _sentence(function):
    return function.__name__.replace("_", " ")


def until(what, probe, seconds=PATIENCE):
    """Asks `probe` until it answers with something true, and returns that."""
    deadline = time.monotonic() + seconds
    while True:
        answer = probe()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError("waited %s s in vain: %s" % (seconds, what))
        time.sleep(0.01)


def refused(what, action, error=Exception):
    """Checks that `action` raises `error`, and returns it."""
    try:
        action()
    except error as raised:
        return raised
    raise AssertionError("%s was not refused" % what)


def alive(pid):
    """Returns whether a process runs; a zombie that nobody has reaped yet does not."""
    try:
        with open("/proc/%d/stat" % pid) as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


class Child:
    """A dbwarden of ours, ended by its pid when the story ends."""

    def __init__(self, *arguments, **environment):
        self.lines = []
        self._changed = threading.Condition()
        self._log = tempfile.TemporaryFile(mode="w+", errors="replace")
        self.process = subprocess.Popen(
            [BINARY] + [str(it) for it in arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=dict(os.environ, **environment),
            universal_newlines=True,
        )
        _children.append(self)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            with self._changed:
                self.lines.append(line.rstrip("\n"))
                self._changed.notify_all()

    def line(self, pattern, seconds=PATIENCE):
        """Waits for a line of the output that matches."""
        expression = re.compile(pattern)

        def found():
            if self.process.poll() is not None and not self._matching(expression):
                raise AssertionError("ended with %s before it said %r: %r"
                                     % (self.process.returncode, pattern, self.lines))
            return self._matching(expression)

        return until("a line like %r among %r" % (pattern, self.lines), found, seconds)

    def _matching(self, expression):
        with self._changed:
            return next((it for it in self.lines if expression.search(it)), None)

    def tell_log(self):
        """Prints what it wrote to its log: of interest only where a story failed."""
        self._log.seek(0)
        print("log of %s:\n%s" % (" ".join(self.process.args), self._log.read()), flush=True)

    def end(self, how=signal.SIGTERM, seconds=PATIENCE):
        """Ends it and returns its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self.process.wait(seconds)


def _end_children():
    while _children:
        child = _children.pop()
        if child.process.poll() is None:
            child.process.terminate()
            try:
                child.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                child.process.kill()
                child.process.wait()


atexit.register(_end_children)


class Program:
    """A program of somebody else, ended by its pid when the story ends."""

    def __init__(self, *arguments, **options):
        self._log = tempfile.TemporaryFile(mode="w+", errors="replace")
        self.process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=self._log,
                                        stderr=self._log, universal_newlines=True, **options)
        _children.append(self)

    def tell_log(self):
        """Prints what it wrote: of interest only where a story failed."""
        self._log.seek(0)
        print("log of %s:\n%s" % (" ".join(self.process.args), self._log.read()), flush=True)


class Sandbox(Child):
    """A domain on loopback, at ports of its own."""

    def __init__(self, *arguments):
        self.folder = tempfile.TemporaryDirectory(prefix="dbwarden-live-")
        super().__init__("sandbox", "--listen", "127.0.0.1:0", "--json", *arguments)
        self.ready = json.loads(self.line(r"^\{"))
        self.peers = self.ready["peers"]

    def port(self, number=1):
        """Returns where the agent of a peer listens; peers are counted from 1."""
        return self.peers[number - 1]["port"]

    def broker(self, number=1):
        """Returns a peer as clients are told it."""
        return "localhost:%d" % self.port(number)

    def archive(self, name):
        """Returns a path at which no archive lies yet."""
        return os.path.join(self.folder.name, name)

    def ask(self, *arguments):
        """Has `sandbox-ctl` do something to the domain."""
        code, _, complaint = dbwarden("sandbox-ctl", "--control", self.ready["control"], *arguments)
        assert code == 0, complaint


def dbwarden(*arguments, **environment):
    """Runs a command that ends by itself; returns its exit code, its output and its complaints."""
    done = subprocess.run([BINARY] + [str(it) for it in arguments], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=3 * PATIENCE,
                          env=dict(os.environ, **environment), universal_newlines=True)
    return done.returncode, done.stdout, done.stderr


class Witness:
    """A listener that defines all nine callbacks and remembers what it was told, in order."""

    def __init__(self):
        self.told = []
        self._changed = threading.Condition()

    def peer_joined(self, peer):
        self._tell("peer_joined", peer)

    def peer_left(self, peer):
        self._tell("peer_left", peer)

    def process_joined(self, process):
        self._tell("process_joined", process)

    def process_left(self, process):
        self._tell("process_left", process)

    def process_failed(self, peer, reason):
        self._tell("process_failed", peer, reason)

    def process_status_changed(self, process, status):
        self._tell("process_status_changed", process, status)

    def database_joined(self, database):
        self._tell("database_joined", database)

    def database_left(self, database):
        self._tell("database_left", database)

    def closed(self):
        self._tell("closed")

    def _tell(self, kind, *about):
        with self._changed:
            self.told.append((kind,) + about)
            self._changed.notify_all()

    def all(self, kind, where=lambda *_: True):
        """Returns what was told of one kind so far."""
        with self._changed:
            return [it[1:] for it in self.told if it[0] == kind and where(*it[1:])]

    def hears(self, kind, where=lambda *_: True, seconds=PATIENCE):
        """Waits until something of a kind was told, and returns the first."""
        with self._changed:
            found = self._changed.wait_for(
                lambda: [it[1:] for it in self.told if it[0] == kind and where(*it[1:])], seconds)
            if not found:
                told = [(it[0],) + tuple(str(about) for about in it[1:]) for it in self.told]
                raise AssertionError("%s was not told within %s s, but %s" % (kind, seconds, told))
            return found[0]

    def statuses(self, process):
        """Returns the statuses a process was told to have, in order."""
        return [status for it, status in self.all("process_status_changed") if it.pid == process.pid]

    def hears_statuses(self, process, expected):
        """Waits until a process was told to have had exactly these statuses."""
        until("%s to be told %s, not %s" % (process, expected, self.statuses(process)),
              lambda: self.statuses(process) == expected)


class Forward:
    """A second address of a port: what a peer behind an address translation looks like."""

    def __init__(self, port):
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self._target))
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=self._carry, args=(one, other), daemon=True).start()

    @staticmethod
    def _carry(one, other):
        try:
            while True:
                data = one.recv(65536)
                if not data:
                    break
                other.sendall(data)
        except OSError:
            pass
        finally:
            try:
                other.shutdown(socket.SHUT_WR)
            except OSError:
                pass

    def close(self):
        self._listener.close()
