"""Stands in for a daemon that watches very many processes: the same addresses and forms, made up.

It serves the page as it lies in the sources. It heals nothing and takes no orders.
"""

import http.server
import json
import os
import threading
import time

PAGE = os.path.join(os.path.dirname(__file__), "..", "..", "src", "api", "page")
TYPES = {"html": "text/html; charset=utf-8", "css": "text/css", "js": "text/javascript",
         "svg": "image/svg+xml"}
EPOCH = 1795258338


def written(seconds):
    """Returns a time as the daemon writes it."""
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return "%s.%06dZ" % (whole, seconds % 1 * 1_000_000)


class Crowd:
    """Peers x databases x processes, of which some are in trouble."""

    def __init__(self, peers=200, databases=25, each=2):
        self._lock = threading.Lock()
        self.began = time.time()
        self.names = ["db%d:48004" % it for it in range(1, peers + 1)]
        self.databases = ["shop%d" % it for it in range(1, databases + 1)]
        self.processes, self.slots = [], []
        for at, peer in enumerate(self.names):
            for of in self.databases:
                for number in range(each):
                    self._add(peer, of, at * each + number)
        self.lost = {self.names[7], self.names[-70]}
        self.sent, self.told = 0, threading.Condition()
        self.events = []

    def _add(self, peer, database, number):
        role = "SM" if number < 2 else "TE"
        pid = 1000 + len(self.processes)
        self.processes.append({
            "database": database, "role": role, "peer": peer, "pid": pid,
            "address": "%s:%d" % (peer.split(":")[0], 50000 + number), "status": "up",
            "status_word": "RUNNING", "reachable": True, "node_id": number + 1,
            "first_seen": written(self.began), "version": "2.6.1"})
        if role == "TE":
            self.slots.append({
                "database": database, "slot": "te/%d" % (number - 1), "phase": "filled",
                "wanted": True, "tries": 0, "peer": peer, "pid": pid, "told_blocked": False,
                "told_suggested": False})

    def status(self):
        """Returns how things are made up to be."""
        with self._lock:
            missing = dict(self.slots[40], phase="vacant", evidence="exit", tries=3,
                           since=written(self.began), told_blocked=True)
            missing.pop("pid")
            held = dict(self.slots[900], phase="held", reason="tries-used-up", tries=5,
                        since=written(self.began), evidence="exit")
            slots = [missing if it is self.slots[40] else held if it is self.slots[900] else it
                     for it in self.slots]
            processes = [dict(it, reachable=it["peer"] not in self.lost) for it in self.processes]
        peers = [{"peer": it, "address": it, "role": "broker" if at < 3 else "agent",
                  "connected": it not in self.lost, "since": written(self.began),
                  "processes": len(processes) // len(self.names), "agent_id": "a%d" % at}
                 for at, it in enumerate(self.names)]
        databases = [{"database": it, "status": "active", "degraded": at == 0,
                      "te": {"running": len(self.names) * 2 - 2, "wanted": len(self.names) * 2 - 2},
                      "sm": {"running": 2}} for at, it in enumerate(self.databases)]
        domain = {"domain": "crowd", "kind": "nuodb", "last_seq": self.sent,
                  "time": written(time.time()), "mode": "heal", "freshness": "synced",
                  "since": written(self.began), "entry": self.names[0], "gates": [],
                  "peers": peers, "databases": databases, "processes": processes, "slots": slots,
                  "actions": [], "orders": []}
        daemon = {"version": "0.0.0", "started": written(self.began), "last_seq": 0,
                  "generation": 1, "loaded": written(self.began)}
        return {"daemon": daemon, "domains": [domain]}

    def happen(self):
        """Has a process begin to start, or run again; returns how many events there were."""
        with self.told:
            self.sent += 1
            process = self.processes[self.sent * 7919 % len(self.processes)]
            starts = process["status"] == "up"
            process["status"] = "starting" if starts else "up"
            process["status_word"] = "SYNCING" if starts else "RUNNING"
            self.events.append({
                "id": "crowd/%d/%d" % (EPOCH, self.sent), "epoch": EPOCH, "seq": self.sent,
                "time": written(time.time()), "domain": "crowd", "event": "process_status_changed",
                "group": "process", "severity": "info", "peer": process["peer"],
                "database": process["database"], "role": process["role"], "pid": process["pid"],
                "status": process["status"], "status_word": process["status_word"]})
            self.told.notify_all()
            return self.sent

    def serve(self):
        """Serves it on loopback, and returns where."""
        crowd = self

        class Handler(_Handler):
            """One request."""

            def crowd(self):
                return crowd

        http.server.ThreadingHTTPServer.daemon_threads = True
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return "http://127.0.0.1:%d/" % server.server_port


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def handle(self):
        """Answers as long as somebody listens: a browser that is ended hangs up."""
        try:
            super().handle()
        except (BrokenPipeError, ConnectionResetError):
            pass

    def do_GET(self):
        path = self.path.split("?")[0]
        name = "index.html" if path == "/" else path.rpartition("/")[2]
        if path == "/" or path.startswith("/page/"):
            with open(os.path.join(PAGE, name), "rb") as file:
                self._answer(TYPES[name.rpartition(".")[2]], file.read())
        elif path == "/api/v1/events/stream":
            self._stream()
        else:
            self._answer("application/json", json.dumps(self._record(path)).encode())

    def _record(self, path):
        if path == "/api/v1/status":
            return self.crowd().status()
        if path == "/api/v1/me":
            return {"name": "ada", "role": "operator"}
        return {"time": written(time.time()), "domain": "crowd", "about": "?", "state": "vacant",
                "text": "nobody sits there: the pause is not over", "because": [], "history": []}

    def _answer(self, form, body):
        self.send_response(200)
        self.send_header("Content-Type", form)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _stream(self):
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        crowd = self.crowd()
        at = int((self.headers.get("Last-Event-ID") or "0").rpartition("/")[2])
        self.wfile.write(b"retry: 2000\nid: crowd/%d/%d\n\n" % (EPOCH, at))
        while True:
            with crowd.told:
                crowd.told.wait_for(lambda: len(crowd.events) > at, 15)
                fresh, at = crowd.events[at:], len(crowd.events)
            lines = ["id: crowd/%d/%d\ndata: %s\n\n" % (EPOCH, it["seq"], json.dumps(it))
                     for it in fresh] or [": still here\n\n"]
            self.wfile.write("".join(lines).encode())
