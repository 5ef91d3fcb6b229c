"""The live page in a real browser: what it shows, how it is used, and that it says when it is old.

The daemon is real, the domain a sandbox. Only the ten thousand processes are made up (`crowd.py`).
What was seen is kept as pictures, to be looked at, in the directory that DBWARDEN_PICTURES names.
"""

import os
import signal
import time

from browser import SHIFT, Browser
from crowd import Crowd
from harness import Sandbox, main, story, until
from remote import OPERATOR, VIEWER, Remote

POLICY = """
[[policy]]
databases = ["*"]
min-uptime = "500ms"
return-grace = "500ms"
unreachable-grace = "5s"
"""

PICTURES = os.environ.get("DBWARDEN_PICTURES") or os.path.join(
    os.path.dirname(__file__), "..", "..", "target", "page")

# So many events come each second, and so many in all.
PACE, EVENTS = 200, 3000


class Warden(Remote):
    """A daemon that heals, with a port that a browser can reach."""

    def __init__(self, sandbox, **again):
        super().__init__(sandbox, POLICY, brokers=(1, 2), **again)
        self.url = "http://%s/" % self.address

    def is_whole(self, count=2):
        """Waits until so many seats are wanted and nobody is missing."""
        def is_so():
            slots = [it for it in self.domain()["slots"] if it["wanted"]]
            return len(slots) == count and all(it["phase"] == "filled" for it in slots)
        until("%d wanted seats to be filled" % count, is_so)


def begun(**options):
    """Returns a sandbox of four peers, a daemon that watches it, and a browser that shows it."""
    sandbox = Sandbox("--peers", 4, "--database", "teas", "--te", 2, "--sm", 1)
    warden = Warden(sandbox)
    warden.is_whole()
    browser = Browser(**options)
    browser.open(warden.url)
    browser.wait("the page to be healthy",
                 "document.getElementById('verdict-title').innerText === 'Healthy'")
    return sandbox, warden, browser


def keep(browser, name):
    """Keeps what is to be seen now."""
    os.makedirs(PICTURES, exist_ok=True)
    browser.screenshot(os.path.join(PICTURES, name + ".png"))


def is_fine(browser, url):
    """Checks that nothing went wrong on the page, and that it asked nobody else."""
    assert browser.complaints == [], browser.complaints
    strangers = [it for it in browser.requests if not it.startswith(url)]
    assert strangers == [], strangers


def marks(browser, state):
    """Returns what the marks of a state are called."""
    script = """[...document.querySelectorAll('#grid .mark[data-state="%s"]')]
        .map((it) => it.getAttribute('aria-label'))"""
    return browser.run(script % state)


def verdict(browser):
    """Returns what the page says at a glance."""
    return browser.text("#verdict-title")


def events(browser):
    """Returns the kinds of the events that are shown, the newest first."""
    return browser.run("[...document.querySelectorAll('#events li')].map((it) => it.dataset.event)")


def tab_to(browser, name, modifiers=0):
    """Goes on by the key Tab until something of that name has the focus."""
    for _ in range(40):
        browser.key("Tab", modifiers)
        if browser.focused().startswith(name):
            return
    raise AssertionError("no Tab leads to %r" % name)


@story
def a_peer_that_is_lost_and_an_engine_that_is_healed_are_seen_without_a_reload():
    sandbox, warden, browser = begun()
    keep(browser, "1-healthy")
    browser.run("window.isTheSame = true")
    engines = {it["peer"] for it in warden.domain()["processes"] if it["role"] == "TE"}
    [number] = [at + 1 for at, it in enumerate(sandbox.peers) if at > 1
                and any(peer.endswith(":%d" % it["port"]) for peer in engines)][:1]
    lost = next(it for it in engines if it.endswith(":%d" % sandbox.port(number)))
    sandbox.ask("lose", str(number))
    until("the seat to be shown as missing", lambda: marks(browser, "missing"))
    until("the engine to be shown as unreachable", lambda: marks(browser, "unreachable"))
    browser.wait("the problem", "document.getElementById('problems').innerText"
                 ".includes('unreachable-grace')")
    assert "%s is unreachable" % lost in browser.text("#problems")
    assert browser.run("document.title").startswith("▲"), browser.run("document.title")
    keep(browser, "2-lost")
    until("the seat to be shown as filled again",
          lambda: not marks(browser, "missing") and len(marks(browser, "up")) == 3)
    until("the events to be shown", lambda: "database_restored" in events(browser))
    told = events(browser)
    order = ["database_restored", "action_succeeded", "action_started", "peer_unreachable"]
    assert [it for it in told if it in order] == order, told
    assert browser.run("window.isTheSame"), "the page was loaded again"
    sandbox.ask("return", str(number))
    browser.wait("the page to be healthy again",
                 "document.getElementById('verdict-title').innerText === 'Healthy'")
    is_fine(browser, warden.url)


@story
def it_is_used_by_the_keyboard_alone():
    _, warden, browser = begun()
    tab_to(browser, "Token")
    browser.key("Enter")
    until("the token to be asked for", lambda: browser.focused() == "ask-token")
    browser.write(OPERATOR)
    browser.key("Enter")
    until("the operator to be known", lambda: browser.text("#who") == "ada, operator")
    assert browser.focused().startswith("Token"), browser.focused()
    browser.key("g")
    assert browser.focused().startswith("Database teas"), browser.focused()
    # Down to the first engine, and in among the rows by the arrows.
    for _ in range(6):
        browser.key("ArrowDown")
        if browser.focused().startswith("TE of teas"):
            break
    chosen = browser.focused()
    seat = chosen.rpartition("seat ")[2]
    assert seat.startswith("teas/te/"), chosen
    browser.key("Enter")
    browser.wait("the reason", "document.getElementById('why-body').innerText.includes('Because')")
    tab_to(browser, "Hold " + seat)
    browser.key("Enter")
    until("the reason to be asked for", lambda: browser.focused() == "ask-reason")
    # Without a reason nothing is asked.
    browser.key("Enter")
    assert browser.run("document.getElementById('ask').open")
    browser.write("a new disk")
    browser.key("Enter")
    browser.wait("what holds to be shown", "document.getElementById('problems').innerText"
                 ".includes('%s is held')" % seat)
    [order] = warden.domain()["orders"]
    said = {it: order[it] for it in ("order", "on", "by", "reason")}
    assert said == {"order": "hold", "on": seat, "by": "operator ada", "reason": "a new disk"}, said
    browser.wait("that it can be released", "document.getElementById('why-body').innerText"
                 ".includes('Release')")
    browser.key("Escape")
    until("the focus to be back", lambda: browser.focused().startswith(chosen))
    browser.key("p")
    tab_to(browser, "Release " + seat)
    browser.key("Enter")
    until("the release to be asked", lambda: browser.focused() == "ask-reason")
    browser.key("Enter")
    until("nothing to hold any more", lambda: warden.domain()["orders"] == [])
    browser.wait("that to be shown", "!document.getElementById('problems').innerText"
                 ".includes('is held')")
    assert "operator_command" in events(browser), events(browser)
    tab_to(browser, "Token", SHIFT)
    is_fine(browser, warden.url)


@story
def a_maintenance_is_begun_and_ended_and_what_it_covers_is_shown():
    _, warden, browser = begun()
    browser.run("sessionStorage.setItem('dbwarden-token', '%s')" % OPERATOR)
    browser.open(warden.url)
    until("the operator to be known", lambda: browser.text("#who") == "ada, operator")
    browser.run("document.querySelector('#grid .database').click()")
    press = "document.querySelector('#why [data-word=\"%s\"]').click()"
    browser.wait("what can be done", "Boolean(document.querySelector('#why .word'))")
    browser.run(press % "maintenance")
    browser.write("memory")
    browser.key("Enter")
    until("the database to be shown as worked at", lambda: browser.run(
        "document.querySelector('#grid .database').getAttribute('aria-label')")
        .startswith("Database teas: maintenance"))
    browser.wait("that it can be ended",
                 "Boolean(document.querySelector('#why [data-word=\"maintenance/end\"]'))")
    assert "in maintenance" in marks(browser, "up")[0], marks(browser, "up")
    browser.run(press % "maintenance/end")
    browser.key("Enter")
    until("the maintenance to be over", lambda: warden.domain()["orders"] == [])
    is_fine(browser, warden.url)


@story
def a_viewer_sees_no_button_that_works_and_may_change_nothing():
    _, warden, browser = begun()
    buttons = "[...document.querySelectorAll('.word')].map((it) => it.disabled)"
    for token, who in (("", "anybody on this machine, viewer"), (VIEWER, "bob, viewer")):
        browser.run("sessionStorage.setItem('dbwarden-token', '%s')" % token)
        browser.open(warden.url)
        until("who looks to be known", lambda: browser.text("#who") == who)
        browser.run("document.querySelector('#grid .database').click()")
        browser.wait("what could be done", "Boolean(document.querySelector('#why .word'))")
        found = browser.run(buttons)
        assert found and all(found), found
    # Even one that is made to work does nothing.
    browser.run("""(() => { const it = document.querySelector('#why .word');
        it.disabled = false; it.click(); })()""")
    browser.write("I may not")
    browser.key("Enter")
    browser.wait("the refusal", "document.getElementById('ask-error').innerText.includes('may')")
    assert warden.domain()["orders"] == []


def nameless(browser):
    """Returns what can be used and is not called anything."""
    kinds = {"button", "link", "textbox", "searchbox", "combobox", "listbox", "checkbox", "option",
             "dialog", "grid", "region", "complementary", "alertdialog"}
    found, count = [], 0
    for node in browser.tree():
        role = node.get("role", {}).get("value")
        focusable = any(it["name"] == "focusable" and it["value"].get("value")
                        for it in node.get("properties", []))
        if role in kinds or (focusable and role not in ("RootWebArea", "main", "generic")):
            count += 1
            if not node.get("name", {}).get("value", "").strip():
                found.append((role, node.get("backendDOMNodeId")))
    assert count > 20, count
    return found


@story
def everything_that_can_be_used_has_a_name_and_landmarks_lead_to_it():
    sandbox, warden, browser = begun()
    assert nameless(browser) == [], nameless(browser)
    roles = {it.get("role", {}).get("value") for it in browser.tree()}
    for landmark in ("banner", "main", "region", "grid", "contentinfo", "status", "alert"):
        assert landmark in roles, (landmark, roles)
    browser.run("sessionStorage.setItem('dbwarden-token', '%s')" % OPERATOR)
    browser.open(warden.url)
    sandbox.ask("lose", "4")
    browser.wait("a problem", "document.querySelectorAll('#problem-list .buttons').length > 0")
    browser.run("document.querySelector('#grid .mark').click()")
    browser.wait("what can be done", "Boolean(document.querySelector('#why .word:enabled'))")
    assert nameless(browser) == [], nameless(browser)
    browser.run("document.querySelector('#why [data-word=\"maintenance\"]').click()")
    # What is behind the dialog is out of the tree.
    names = [it.get("name", {}).get("value") for it in browser.tree()]
    for name in ("Reason", "Ends by itself after", "Cancel"):
        assert name in names, names


@story
def it_says_when_what_it_shows_is_old_and_comes_back_by_itself():
    sandbox, warden, browser = begun(dark=True)
    browser.run("window.isTheSame = true")
    for number in (1, 2):
        sandbox.ask("lose", str(number))
    browser.wait("the stale knowledge", "document.getElementById('old').innerText"
                 ".includes('no session to a broker')")
    assert verdict(browser) == "Not known: the knowledge is stale", verdict(browser)
    keep(browser, "3-stale")
    for number in (1, 2):
        sandbox.ask("return", str(number))
    browser.wait("it to be fresh again", "document.getElementById('old').hidden")

    warden.end(signal.SIGKILL)
    browser.wait("the loss of the daemon",
                 "document.getElementById('verdict-title').innerText === 'This page lost the daemon'")
    assert "does not tell this page" in browser.text("#old"), browser.text("#old")
    seen = int(browser.run("document.getElementById('events').dataset.seen"))
    warden = Warden(sandbox, folder=warden.folder, listen=warden.address)
    browser.wait("the daemon to be found again", "document.body.dataset.link === 'there' "
                 "&& document.body.dataset.stream === 'there'")
    browser.wait("it to be fresh again", "document.getElementById('old').hidden")
    # What happened meanwhile is told, and nothing twice.
    until("the events after it", lambda: int(browser.run(
        "document.getElementById('events').dataset.seen")) > seen)
    assert browser.run("document.getElementById('events').dataset.missed") == "0"
    assert events(browser).count("daemon_started") == 2, events(browser)
    assert browser.run("window.isTheSame"), "the page was loaded again"
    fetches = [it for it in browser.complaints if "ERR_" not in it]
    assert fetches == [], fetches


@story
def a_database_that_is_down_is_what_a_phone_shows_first():
    sandbox, warden, browser = begun(width=390, height=844, phone=True)
    # Nobody starts them again until the picture was taken.
    for seat in ("teas/te/1", "teas/te/2"):
        code, said = warden.ask("POST", "/api/v1/domains/live/hold", OPERATOR,
                                {"target": seat, "reason": "a new disk"})
        assert code == 200, said
    for process in warden.domain()["processes"]:
        if process["role"] == "TE":
            sandbox.ask("crash", str(process["pid"]))
    browser.wait("the database to be down", "(document.querySelector('#problem-list b')?.innerText"
                 " ?? '').includes('teas: down')")
    assert verdict(browser) == "Needs somebody now", verdict(browser)
    wide = browser.run("document.documentElement.scrollWidth")
    assert wide <= 390, "the page is %s wide" % wide
    keep(browser, "4-down-phone")
    browser.run("document.querySelector('#problem-list [data-why]').click()")
    browser.wait("the reason", "document.getElementById('why-body').innerText.includes('Because')")
    keep(browser, "5-why-phone")
    is_fine(browser, warden.url)


@story
def ten_thousand_processes_are_drawn_and_two_hundred_events_a_second_followed():
    crowd = Crowd()
    url = crowd.serve()
    browser = Browser()
    began = time.monotonic()
    browser.open(url)
    browser.wait("the picture", "Boolean(document.body.dataset.drawn)")
    opened = time.monotonic() - began
    first = browser.run("document.body.dataset.drawn")
    assert "10,000 processes" in browser.text("#verdict-text"), browser.text("#verdict-text")
    browser.run("""window.frames = []; let last = performance.now();
        (function next() { const now = performance.now(); frames.push(now - last); last = now;
        requestAnimationFrame(next); })()""")
    sent, began = 0, time.monotonic()
    while sent < EVENTS:
        due = min(EVENTS, int((time.monotonic() - began) * PACE))
        while sent < due:
            sent = crowd.happen()
        time.sleep(0.005)
    took, over = time.monotonic() - began, time.monotonic()
    browser.wait("every event", "document.getElementById('events').dataset.seen === '%d'" % EVENTS)
    behind = time.monotonic() - over
    assert browser.run("document.getElementById('events').dataset.missed") == "0"
    frames = browser.run("[Math.max(...frames), frames.filter((it) => it > 100).length]")
    elements = browser.run("document.querySelectorAll('*').length")
    again = browser.run("document.body.dataset.drawn")
    print("       10,000 processes: shown %.2f s after opening, first picture drawn in %s ms, later "
          "ones in %s ms, %d elements" % (opened, first, again, elements))
    print("       %d events in %.1f s, the last seen %.0f ms after it was sent, none missed; longest "
          "frame %.0f ms, %d of more than 100 ms" % (EVENTS, took, behind * 1000, *frames))
    keep(browser, "6-crowd")
    # The last row is a key away, and what is looked for is found.
    browser.key("g")
    browser.key("End", 2)
    browser.wait("the last row", "document.activeElement.closest('[data-row]')?.dataset.row === '199'")
    browser.key("/")
    browser.write("db77:48004")
    browser.wait("one row", "document.querySelectorAll('#grid [data-row]').length === 1")
    is_fine(browser, url)


if __name__ == "__main__":
    main()
