"""The programs in examples/ that talk to living services, against stand-ins for those."""

import json
import re

import pytest
import waiting
from aiohttp import web
from programs import Program
from rst_blocks import ROOT
from stand_in import StandIn

from gaechannel.server import WEBCHANNEL, BrowserChannelService, LocalServer


@pytest.mark.parametrize(
    "name", ["chat.py", "dashboard.py", "firestore_listen.py", "lounge.py", "punctual.py"]
)
def test_an_example_is_short_and_uses_public_names_alone(name):
    text = (ROOT / "examples" / name).read_text()
    assert len(text.splitlines()) < 120
    assert re.findall(r"(?:gaechannel|channel|client|session|server)\._\w+|from gaechannel\._", text) == []


# ---- YouTube's Lounge ----


class Lounge(StandIn):
    """YouTube, and a screen that does as it is told."""

    def __init__(self):
        self.sessions, self.tokens = [], 0
        super().__init__(
            {"/bc": BrowserChannelService(self.open)},
            {
                ("POST", "/pairing/get_screen"): self.pair,
                ("POST", "/pairing/get_lounge_token_batch"): self.token,
            },
        )

    async def pair(self, request):
        assert (await request.post())["pairing_code"] == "123456789012"
        return web.json_response({"screen": {"name": "TV 😀", "screenId": "screen-1", "loungeToken": "t0"}})

    async def token(self, request):
        assert (await request.post())["screen_ids"] == "screen-1"
        self.tokens += 1
        return web.json_response({"screens": [{"screenId": "screen-1", "loungeToken": f"t{self.tokens}"}]})

    def open(self, session):
        self.sessions.append(session)
        assert session.params["loungeIdToken"] == session.form["loungeIdToken"] == f"t{self.tokens}"
        session.send(["S", f"gsession-{len(self.sessions)}"])
        session.send(["loungeStatus", {"devices": "[]"}])

        def obey(command):
            if command["_sc"] == "setVolume":
                session.send(["onVolumeChanged", {"volume": command["volume"], "muted": "false"}])

        session.on_map = obey


def test_lounge_is_the_same_remote_in_every_session_and_says_why_it_leaves(tmp_path):
    file = tmp_path / "kitchen.json"
    with Lounge() as lounge:
        with Program("lounge.py", file, "pair", "123 456 789-012", LOUNGE_URL=lounge.url) as pairing:
            assert pairing.line() == "paired with TV 😀"
            assert pairing.process.wait(timeout=60) == 0
        with Program("lounge.py", file, "setVolume", "volume=40", LOUNGE_URL=lounge.url) as remote:
            assert remote.line() == 'loungeStatus {"devices": "[]"}'
            assert remote.line() == 'onVolumeChanged {"volume": "40", "muted": "false"}'
            lounge.lose_sessions()
            assert remote.line() == 'loungeStatus {"devices": "[]"}'
            assert remote.interrupt() == 130
        waiting.until(lambda: lounge.sessions[-1].ended)
        ending = [
            form for *_, query, form, _ in lounge.of("POST", "/bc/bind") if query.get("TYPE") == "terminate"
        ]
        assert [form["clientDisconnectReason"] for form in ending] == [
            "MDX_SESSION_DISCONNECT_REASON_DISCONNECTED_BY_USER"
        ]
        with Program("lounge.py", file, LOUNGE_URL=lounge.url) as again:
            assert again.line().startswith("loungeStatus")
    assert len(lounge.sessions) == 3
    assert {session.form["id"] for session in lounge.sessions} == {json.loads(file.read_text())["remote_id"]}


# ---- Google Chat ----

COOKIES = """\
# Netscape HTTP Cookie File
127.0.0.1\tFALSE\t/\tFALSE\t4000000000\tSID\ts3cret
127.0.0.1\tFALSE\t/\tFALSE\t0\tHSID\ta b
"""


class Chat(StandIn):
    """Google Chat, in which Eve says something."""

    def __init__(self):
        self.registered, self.sessions = 0, []
        super().__init__(
            {"/webchannel/events": BrowserChannelService(self.open, dialect=WEBCHANNEL)},
            {("GET", "/webchannel/register"): self.register},
        )

    async def register(self, request):
        assert request.cookies["SID"] == "s3cret"
        self.registered += 1
        reply = web.Response()
        reply.set_cookie("COMPASS", f"dynamite-ui={self.registered}")
        return reply

    def open(self, session):
        self.sessions.append(session)
        session.data = []
        said = f"hello from session {len(self.sessions)}"

        def take(map_):
            session.data.append(json.loads(map_["data"]))
            if session.data[-1] and session.data[-1][1][0] == 1:  # a ping of somebody active
                eve = [None] * 9 + [said]
                eve[1] = [["user-1"], "Eve"]
                body = [None, None, None, None, None, [eve], {"12": 6}]
                session.send([[["group"], None, 6, body]])

        session.on_map = take


def test_chat_registers_before_each_session_and_prints_what_is_said(tmp_path):
    file = tmp_path / "cookies.txt"
    file.write_text(COOKIES)
    with Chat() as chat, Program("chat.py", file, f"{chat.url}/webchannel") as program:
        assert program.line() == "Eve: hello from session 1"
        chat.lose_sessions()
        assert program.line() == "Eve: hello from session 2"
        assert program.interrupt() == 130
    assert [session.data for session in chat.sessions] == [[[], [None, [1, None, 1, None, 1, True]]]] * 2
    opening = [
        headers["Cookie"]
        for *_, query, _, headers in chat.of("POST", "/webchannel/events")
        if "SID" not in query
    ]
    assert [re.search(r"dynamite-ui=\d", cookies)[0] for cookies in opening] == [
        "dynamite-ui=1",
        "dynamite-ui=2",
    ]
    assert all({"SID=s3cret", "HSID=a b"} <= {*headers["Cookie"].split("; ")} for *_, headers in chat.heard)
    assert "dynamite-ui=2" in file.read_text()


# ---- signaler-pa ----


class Signaler(StandIn):
    """A server that has news of what is watched."""

    def __init__(self):
        self.chosen, self.watched, self.refreshed = 0, [], []
        super().__init__(
            {"/multi-watch/channel": BrowserChannelService(self.open, dialect=WEBCHANNEL)},
            {("POST", "/v1/chooseServer"): self.choose, ("POST", "/v1/refreshCreds"): self.refresh},
        )

    async def choose(self, request):
        assert "chat~one" in (await request.text())
        self.chosen += 1
        return web.json_response([f"server-{self.chosen}", 3])

    async def refresh(self, request):
        self.refreshed.append((request.query["gsessionid"], json.loads(await request.text())))
        return web.json_response([])

    def open(self, session):
        assert session.params["gsessionid"] == f"server-{self.chosen}"

        def watch(message):
            self.watched.append([[number, what[5][2][0][0][0]] for number, what, *_ in message[0]])
            session.send([None, None, [f"credentials-{self.chosen}"]])
            session.send([[["1", [None, None, ["1764270000"]]]]])
            for number, *_ in message[0]:
                session.send([[[number, ["news", self.chosen]]]])

        session.on_message = watch


def test_punctual_watches_all_over_one_channel_and_goes_on_after_a_lost_session():
    with (
        Signaler() as signaler,
        Program("punctual.py", "one", "two", SIGNALER_URL=signaler.url, SIGNALER_REFRESH="0.2") as program,
    ):
        assert [program.line(), program.line()] == ['one ["news", 1]', 'two ["news", 1]']
        waiting.until(lambda: ("server-1", ["credentials-1"]) in signaler.refreshed)
        signaler.lose_sessions()
        assert [program.line(), program.line()] == ['one ["news", 2]', 'two ["news", 2]']
        waiting.until(lambda: ("server-2", ["credentials-2"]) in signaler.refreshed)
        assert program.interrupt() == 130
    assert signaler.watched == [[["1", "chat~one"], ["2", "chat~two"]]] * 2


# ---- Firestore ----

DOCUMENTS = "projects/p/databases/(default)/documents"


class Firestore(StandIn):
    """Firestore with one collection, which says nothing again to who has a resume token, unless told to."""

    def __init__(self):
        self.log, self.resets, self.sessions, self.tokens = [], False, [], []
        super().__init__(
            {
                "/google.firestore.v1.Firestore/Listen/channel": BrowserChannelService(
                    self.open, dialect=WEBCHANNEL
                )
            },
            {},
        )

    def open(self, session):
        assert session.headers["authorization"] == "Bearer t0ken"
        self.sessions.append(session)

        def take(request):
            if "removeTarget" in request:
                session.send({"targetChange": {"targetChangeType": "REMOVE", "targetIds": [2]}})
                return
            target = request["addTarget"]
            assert target["query"]["structuredQuery"]["from"] == [{"collectionId": "rooms"}]
            self.tokens.append(target.get("resumeToken"))
            session.send({"targetChange": {"targetChangeType": "ADD", "targetIds": [2]}})
            begin = int(target.get("resumeToken", 0))
            if begin and self.resets:
                begin = 0
                session.send({"targetChange": {"targetChangeType": "RESET", "resumeToken": "0"}})
            latest = {name: number for number, (name, _) in enumerate(self.log)}
            for number in range(begin, len(self.log)):
                name, fields = self.log[number]
                # What is gone is said only to who may have heard that it was there.
                if latest[name] == number and (fields is not None or begin):
                    self.say(session, number)
            token = str(len(self.log))
            session.send({"targetChange": {"targetChangeType": "CURRENT", "resumeToken": token}})

        session.on_message = take

    def say(self, session, number):
        name, fields = self.log[number]
        name = f"{DOCUMENTS}/rooms/{name}"
        if fields is None:
            session.send({"documentDelete": {"document": name, "removedTargetIds": [2]}})
        else:
            found = {"name": name, "fields": fields, "updateTime": f"2026-11-27T20:00:{number:02}Z"}
            session.send({"documentChange": {"document": found, "targetIds": [2]}})

    def write(self, name, text, *, told=True):
        self.log.append((name, None if text is None else {"topic": {"stringValue": text}}))
        if told:
            self.say(self.sessions[-1], len(self.log) - 1)
            token = {"resumeToken": str(len(self.log)), "readTime": "now"}
            self.sessions[-1].send({"targetChange": token})


@pytest.mark.parametrize("resets", [False, True], ids=["resumed", "all said again"])
def test_firestore_listen_misses_and_doubles_nothing_over_lost_sessions(resets):
    with Firestore() as firestore:
        firestore.resets = resets
        firestore.write("a", "1", told=False)
        with Program("firestore_listen.py", firestore.url, "p", "rooms", FIRESTORE_TOKEN="t0ken") as program:
            assert program.line() == 'added rooms/a {"topic": {"stringValue": "1"}}'
            waiting.until(lambda: firestore.tokens == [None])
            firestore.write("b", "2")
            assert program.line() == 'added rooms/b {"topic": {"stringValue": "2"}}'
            for number in range(3):
                firestore.write("a", f"é {number}", told=False)
                firestore.write(f"new-{number}", "", told=False)
                firestore.lose_sessions()  # after it the program may listen again at once
                assert program.line() == f'changed rooms/a {{"topic": {{"stringValue": "é {number}"}}}}'
                assert program.line().startswith(f"added rooms/new-{number} ")
                waiting.until(lambda number=number: len(firestore.tokens) == number + 2)
            firestore.write("b", None)
            assert program.line() == "removed rooms/b"
            assert program.interrupt() == 130
        assert program.lines.empty()
    assert None not in firestore.tokens[1:]


def test_firestore_listen_asks_again_for_everything_where_a_deletion_was_not_said():
    with (
        Firestore() as firestore,
        Program("firestore_listen.py", firestore.url, "p", "rooms", FIRESTORE_TOKEN="t0ken") as program,
    ):
        waiting.until(lambda: firestore.tokens == [None])
        firestore.write("a", "1")
        firestore.write("b", "2")
        assert [program.line().split()[1] for _ in range(2)] == ["rooms/a", "rooms/b"]
        del firestore.log[0]
        firestore.sessions[-1].send({"filter": {"targetId": 2, "count": 1}})
        assert program.line().startswith("changed rooms/b ")  # its time in this stand-in is its place
        assert program.line() == "removed rooms/a"
        assert firestore.tokens == [None, None]


# ---- The dashboard ----


def test_dashboard_shows_state_and_messages_of_ten_channels():
    pytest.importorskip("rich", reason="rich is not installed")
    # Where a back channel has ended, the next one says what was received.
    with LocalServer(backchannel_seconds=0.2) as server:
        names = [f"client {number}" for number in range(10)]
        tokens = [server.create_channel(name) for name in names]
        with Program("dashboard.py", server.base_url, *tokens, COLUMNS="200") as program:
            waiting.until(lambda: all(map(server.service.is_connected, names)))
            for number, name in enumerate(names):
                server.send_message(name, f"message to {number}")
            waiting.until(lambda: all(not session.outstanding for session in server.service.sessions))
            program.interrupt()
            shown = [program.line() for _ in range(program.lines.qsize())]
    rows = [line for line in shown if re.search(r"channel \d", line)]
    assert len(rows) == 10, shown + program.errors
    for number, row in enumerate(rows):
        assert f"channel {number}" in row
        assert f"message to {number}" in row
