"""Drives a Chromium over the DevTools protocol, by a pair of pipes: no port, no driver, no library.

It knows one page at a time, and deliberately nothing about what is shown on it.
"""

import base64
import fcntl
import json
import os
import shutil
import subprocess
import tempfile
import threading

from harness import PATIENCE, Program, until

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--disable-default-apps", "--disable-extensions", "--mute-audio", "--hide-scrollbars",
         "--disable-dev-shm-usage", "--log-level=3", "--password-store=basic", "--remote-debugging-pipe"]

# What a key sends: its name, its code, its number, and what it writes.
KEYS = {
    "Tab": ("Tab", 9, None), "Enter": ("Enter", 13, "\r"), "Escape": ("Escape", 27, None),
    "ArrowDown": ("ArrowDown", 40, None), "ArrowUp": ("ArrowUp", 38, None),
    "ArrowLeft": ("ArrowLeft", 37, None), "ArrowRight": ("ArrowRight", 39, None),
    "Home": ("Home", 36, None), "End": ("End", 35, None), " ": ("Space", 32, " "),
}
SHIFT, CONTROL = 8, 2

# Above what a shell and a browser use themselves.
HIGH = 100


class Browser(Program):
    """A Chromium of our own with one page, ended by its pid when the story ends."""

    def __init__(self, width=1360, height=860, dark=False, phone=False):
        self.folder = tempfile.TemporaryDirectory(prefix="dbwarden-live-", ignore_cleanup_errors=True)
        told, self._ask = os.pipe()
        self._hear, answer = os.pipe()
        near = [fcntl.fcntl(it, fcntl.F_DUPFD, HIGH) for it in (told, answer)]
        # The browser reads at 3 and writes at 4.
        command = 'exec "$@" 3<&%d 4>&%d %d<&- %d>&-' % (*near, *near)
        os.set_inheritable(near[0], True)
        os.set_inheritable(near[1], True)
        # Its temporary files too: it leaves some when it is ended.
        super().__init__("bash", "-c", command, "chromium", shutil.which("chromium"), *FLAGS,
                         "--user-data-dir=" + self.folder.name, "about:blank", pass_fds=near,
                         env={**os.environ, "TMPDIR": self.folder.name})
        for it in (told, answer, *near):
            os.close(it)
        self._changed = threading.Condition()
        self._answers, self._count = {}, 0
        self.complaints, self.requests = [], []
        self._session = None
        threading.Thread(target=self._read, daemon=True).start()
        self._open(width, height, dark, phone)

    def _open(self, width, height, dark, phone):
        pages = lambda: [it for it in self.send("Target.getTargets")["targetInfos"]
                         if it["type"] == "page"]
        target = until("a page of the browser", pages)[0]["targetId"]
        attached = self.send("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for part in ("Page", "Runtime", "Network", "Log", "DOM", "Accessibility"):
            self.send(part + ".enable")
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=phone)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.send("Emulation.setEmulatedMedia", features=[scheme])

    def _read(self):
        rest = b""
        while True:
            data = os.read(self._hear, 1 << 20)
            if not data:
                return
            *messages, rest = (rest + data).split(b"\0")
            for message in messages:
                self._heard(json.loads(message))

    def _heard(self, message):
        with self._changed:
            if "id" in message:
                self._answers[message["id"]] = message
            self._changed.notify_all()
        method, about = message.get("method"), message.get("params", {})
        if method == "Runtime.exceptionThrown":
            details = about["exceptionDetails"]
            self.complaints.append(details.get("exception", {}).get("description", details["text"]))
        elif method == "Log.entryAdded" and about["entry"]["level"] == "error":
            self.complaints.append("%(text)s %(url)s" % {"url": "", **about["entry"]})
        elif method == "Network.requestWillBeSent":
            self.requests.append(about["request"]["url"])

    def send(self, method, **parameters):
        """Asks the browser for something, and returns its answer."""
        with self._changed:
            self._count += 1
            number = self._count
            message = {"id": number, "method": method, "params": parameters}
            if self._session:
                message["sessionId"] = self._session
            # All of it: a pipe may take less at once.
            data = json.dumps(message).encode() + b"\0"
            while data:
                data = data[os.write(self._ask, data):]
            if not self._changed.wait_for(lambda: number in self._answers, 3 * PATIENCE):
                raise AssertionError("the browser did not answer %s" % method)
            answer = self._answers.pop(number)
        assert "error" not in answer, "%s: %s" % (method, answer["error"])
        return answer["result"]

    def open(self, url):
        """Goes to an address."""
        answer = self.send("Page.navigate", url=url)
        assert "errorText" not in answer, answer
        self.wait("the page to load", "document.readyState === 'complete' && location.href !== 'about:blank'")

    def run(self, script):
        """Runs an expression in the page, and returns what came of it."""
        answer = self.send("Runtime.evaluate", expression=script, returnByValue=True,
                           awaitPromise=True)
        assert "exceptionDetails" not in answer, "%s: %s" % (script, answer["exceptionDetails"])
        return answer["result"].get("value")

    def wait(self, what, script, seconds=PATIENCE):
        """Waits until an expression is true in the page, and returns it."""
        return until(what, lambda: self.run(script), seconds)

    def text(self, selector):
        """Returns the text of an element, or none."""
        return self.run("document.querySelector(%s)?.innerText ?? ''" % json.dumps(selector))

    def key(self, name, modifiers=0):
        """Presses a key, as a person would."""
        if name in KEYS:
            code, number, text = KEYS[name]
        else:
            code, number, text = "Key" + name.upper(), ord(name.upper()), name
        about = {"key": name, "code": code, "windowsVirtualKeyCode": number, "modifiers": modifiers}
        if text:
            about["text"] = text
        self.send("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", **about)
        about.pop("text", None)
        self.send("Input.dispatchKeyEvent", type="keyUp", **about)

    def write(self, text):
        """Types a text."""
        for letter in text:
            self.send("Input.dispatchKeyEvent", type="char", text=letter)

    def focused(self):
        """Returns by which name the focused element is known."""
        script = """(() => { const it = document.activeElement;
            return it.getAttribute('aria-label') || it.innerText || it.id || it.tagName; })()"""
        return self.run(script)

    def tree(self):
        """Returns the accessibility tree, without what is not read out."""
        nodes = self.send("Accessibility.getFullAXTree")["nodes"]
        return [it for it in nodes if not it.get("ignored")]

    def screenshot(self, path):
        """Keeps what is to be seen."""
        data = self.send("Page.captureScreenshot", format="png")["data"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(data))
