"""A Debian of its own with a real systemd, in a container without a network, that lives one story.

The story is a script that runs in it as a service; what it saw it writes to a folder of the host,
where it is judged. Nothing is left in the tree the container was started from.
"""

import json
import os
import shutil
import subprocess
import tempfile

from harness import BINARY, Program

STORY = """
[Service]
Type=oneshot
ExecStart=/bin/bash /story/story.sh
StandardOutput=file:/result/story.log
StandardError=file:/result/story.log
ExecStopPost=/bin/systemctl --no-block poweroff
"""

# What every script begins with. It ends by itself, whatever happens: each wait has an end.
PREAMBLE = r"""
set -eux
wait_for() {
  set +x
  for _ in $(seq 300); do
    if eval "$1"; then
      set -x
      return 0
    fi
    sleep 0.1
  done
  echo "waited in vain for: $1"
  return 1
}
"""


class Container(Program):
    """A Debian that lives for one script: /story is what it is given, /result what it leaves."""

    def __init__(self, script, units=(), files=(), copies=(), lifetime=120):
        self.lifetime = lifetime
        self.folder = tempfile.TemporaryDirectory(prefix="dbwarden-live-")
        self.story, self.result = (os.path.join(self.folder.name, it) for it in ("story", "result"))
        for folder in (self.story, self.result):
            os.mkdir(folder)
        shutil.copy(BINARY, os.path.join(self.story, "dbwarden"))
        for name, path in dict(copies).items():
            shutil.copy(path, os.path.join(self.story, name))
        for name, text in dict(files).items():
            self._write(name, text, 0o600)
        units = dict(units, **{"story.service": STORY})
        for name, text in units.items():
            self._write(name, text)
        self._write("story.sh", PREAMBLE + script)
        bound = ["--bind-ro=%s:/etc/systemd/system/%s" % (os.path.join(self.story, it), it)
                 for it in units]
        super().__init__(
            "systemd-nspawn", "--directory=" + os.environ["DEBIAN"], "--volatile=overlay", "--boot",
            "--private-network", "--register=no", "--keep-unit", "--console=pipe",
            "--bind-ro=%s:/story" % self.story, "--bind=%s:/result" % self.result, *bound,
            # Neither the console nor the kernel's log of the host is told what systemd does.
            "systemd.wants=story.service", "systemd.log_target=journal")

    def _write(self, name, text, mode=0o644):
        path = os.path.join(self.story, name)
        with open(path, "w") as file:
            file.write(text)
        os.chmod(path, mode)

    def lives(self):
        """Waits until the container is gone."""
        try:
            self.process.wait(self.lifetime)
        except subprocess.TimeoutExpired:
            raise AssertionError("the container did not end within %s s:\n%s"
                                 % (self.lifetime, self.text("story.log")))

    def wrote(self, name):
        """Returns whether something was written to the folder of the host."""
        return os.path.exists(os.path.join(self.result, name))

    def text(self, name):
        """Returns what was written to the folder of the host."""
        try:
            with open(os.path.join(self.result, name), errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def entries(self, name):
        """Returns entries of a journal, in order."""
        return [json.loads(it) for it in self.text(name).splitlines()]
