"""What every store lets a service promise, and what those that keep things promise the next process."""

import asyncio
import functools
import itertools
import shutil
import sqlite3

import pytest
from back_by_hand import Back
from wire_by_hand import CONNECT, Clock

from gaechannel.server import (
    BrowserChannelService,
    ChannelService,
    MemoryStore,
    Refusal,
    SessionEnded,
    SqliteStore,
    StoreError,
)
from gaechannel.server.core.sessions import Opening


class Asked(Back):
    """A back channel that hands over what it is given when it is asked."""

    def __init__(self, service, session, aid=-1):
        super().__init__(service.monotonic(), 1e9)
        self.service, self.session = service, session
        with service.lock:
            session.attach(self, aid)

    def arrays(self):
        """The arrays since the last time, each as its id and the rest."""
        chunk, _ = self.session.take(self)
        asyncio.run(self.service.commit())
        self.service.written(self.session)
        found = [line[1:] for line in chunk.split(b"\n") if line.startswith(b"[")]
        return [(int(one[1:].split(b",")[0]), one.partition(b",")[2][:-1]) for one in found]

    def texts(self):
        """The messages since the last time."""
        return [one.split(b'"')[7].decode() for _, one in self.arrays() if one.startswith(b'["c",["CLID"')]

    def detach(self):
        with self.service.lock:
            self.session.detach(self)


@pytest.fixture(params=["memory", "sqlite"])
def kind(request, tmp_path):
    """Makes a store of one kind: each the next process's of the one before."""
    if request.param == "memory":
        return MemoryStore
    return functools.partial(SqliteStore, tmp_path / "state", wait=0.1)


#: What is asked of those alone that keep something for the next process.
KEEPING = pytest.mark.parametrize("kind", ["sqlite"], indirect=True)


@pytest.fixture
def make(kind):
    """Makes the process after the one before, as far as its store is concerned."""
    services = []

    def make(end="kill", **options):
        if services:
            finish(services.pop(), end)
        options.setdefault("clock", clock)
        options.setdefault("monotonic", clock)
        service = ChannelService(store=kind(), **options)
        service.load()
        services.append(service)
        return service

    clock = Clock()
    make.clock = clock
    yield make
    finish(services.pop(), "kill")


def finish(service, end):
    """End a process in order, or by a kill."""
    if end == "kill":
        service.store.abandon()
    service.hand_over(tell=end != "kill")
    service.store.close(told=True)


def commit(service):
    asyncio.run(service.commit())


rid = itertools.count(1)


def connect(service, token=None, client_id="me", clid="CLID"):
    """A session that listens."""
    token = service.create_channel(client_id) if token is None else token
    params = {"clid": clid, "token": token, "RID": str(next(rid))}
    session, _ = service.open(Opening(params, [CONNECT]))
    commit(service)
    return session


def query(session):
    return {"SID": session.sid, "token": session.params["token"], "clid": session.clid}


# Every store.


def test_messages_arrive_in_order_and_once(make):
    service = make()
    session = connect(service)
    back = Asked(service, session)
    for number in range(5):
        service.send_message("me", str(number))
    assert back.texts() == ["0", "1", "2", "3", "4"]
    service.send_message("me", "5")
    assert back.texts() == ["5"]
    assert back.texts() == []


def test_a_message_goes_to_all_sessions_of_its_client_and_to_no_other(make):
    service = make()
    mine = [Asked(service, connect(service)) for _ in range(3)]
    other = Asked(service, connect(service, client_id="you"))
    service.send_message("me", "hi")
    assert [back.texts() for back in mine] == [["hi"]] * 3
    assert other.texts() == []


def test_what_is_not_acknowledged_is_read_again_and_what_is_is_not(make):
    service = make()
    session = connect(service)
    for text in "abc":
        service.send_message("me", text)
    first = Asked(service, session)
    ids = [array_id for array_id, data in first.arrays() if b'"ae"' in data]
    assert Asked(service, session, ids[0]).texts() == ["b", "c"]
    assert Asked(service, session, ids[2]).texts() == []


def test_a_second_back_channel_fences_the_first(make):
    service = make()
    session = connect(service)
    first = Asked(service, session)
    second = Asked(service, session)
    service.send_message("me", "hi")
    assert first.texts() == []
    assert second.texts() == ["hi"]
    first.detach()
    assert session.has_back_channel


def test_maps_are_taken_once(make):
    service = make()
    session = connect(service)
    seen = []
    session.on_map = seen.append
    for _ in range(2):
        service.forward(session, -1, 1, [{"a": "1"}, {"a": "2"}], 5)
    service.forward(session, -1, 2, [{"a": "2"}, {"a": "3"}], 6)
    assert seen == [{"a": "1"}, {"a": "2"}, {"a": "3"}]


def test_an_ended_session_is_not_found(make):
    service = make()
    session = connect(service)
    service.end(session, "terminated")
    with pytest.raises(Refusal, match="Unknown SID"):
        service.find(query(session))
    with pytest.raises(SessionEnded):
        session.send("late")


def test_what_is_sent_before_anybody_listens_is_held(make):
    service = make(hold=2)
    token = service.create_channel("me")
    for text in "abc":
        service.send_message("me", text)
    assert service.waiting == 2
    assert Asked(service, connect(service, token)).texts() == ["b", "c"]
    assert service.waiting == 2  # it has not been acknowledged


def test_presence_hears_of_the_first_who_comes_and_the_last_who_goes(make):
    seen = []
    service = make(
        on_connected=lambda who: seen.append(f"+{who}"), on_disconnected=lambda who: seen.append(f"-{who}")
    )
    one, two = connect(service), connect(service)
    service.end(one, "terminated")
    assert seen == ["+me"]
    service.end(two, "terminated")
    assert seen == ["+me", "-me"]


# Those that keep something.

ENDS = pytest.mark.parametrize("end", ["kill", "in order"])


@ENDS
@KEEPING
def test_the_next_process_has_sessions_messages_and_tokens(make, end):
    service = make()
    token = service.create_channel("me")
    session = connect(service, token)
    back = Asked(service, session)
    service.send_message("me", "seen")
    ((seen, _),) = [one for one in back.arrays() if b'"ae"' in one[1]]
    for text in "ab":
        service.send_message("me", text)
    commit(service)

    service = make(end)
    found = service.find(query(session))
    assert found.restored
    assert found.params["clid"] == "CLID"
    service.send_message("me", "c")
    arrays = Asked(service, found, seen).arrays()
    assert [array_id for array_id, _ in arrays] == [seen + 1, seen + 2, seen + 3]
    assert [data.split(b'"')[7] for _, data in arrays] == [b"a", b"b", b"c"]
    assert service.read_token(token).client_id == "me"
    assert service.has_channel(token)


@ENDS
@KEEPING
def test_what_was_acknowledged_stays_so_and_ids_go_on(make, end):
    service = make()
    session = connect(service)
    back = Asked(service, session)
    service.send_message("me", "a")
    ((aid, _),) = [one for one in back.arrays() if b'"ae"' in one[1]]
    Asked(service, session, aid)
    commit(service)
    service = make(end)
    found = service.find(query(session))
    assert found.outstanding == 0
    assert found.next_id == aid + 1


@pytest.mark.parametrize("acknowledged", [False, True])
def test_what_is_sent_after_a_file_was_put_back_arrives(tmp_path, acknowledged):
    """Arrays that the file has forgotten have ids that are given to none that come after them."""

    def serve(name):
        service = ChannelService(store=SqliteStore(tmp_path / name))
        service.load()
        return service

    service = serve("state")
    session = connect(service)
    back = Asked(service, session)
    service.send_message("me", "before")
    have = back.arrays()
    finish(service, "end")
    shutil.copy(tmp_path / "state", tmp_path / "copy")

    service = serve("state")
    back = Asked(service, service.find(query(session)), have[-1][0] if acknowledged else -1)
    for text in "abc":
        service.send_message("me", text)
    have += [one for one in back.arrays() if one not in have]
    finish(service, "kill")

    service = serve("copy")
    for text in "123456":
        service.send_message("me", text)
    back = Asked(service, service.find(query(session)), have[-1][0])
    service.send_message("me", "7")
    came = back.arrays()
    assert [array_id for array_id, _ in came] == [have[-1][0] + number for number in range(1, 8)]
    assert b"".join(data.split(b'"')[7] for _, data in came) == b"1234567"
    finish(service, "kill")

    service = serve("copy")  # the ids are those that have been kept
    assert Asked(service, service.find(query(session)), came[2][0]).arrays() == came[3:]
    finish(service, "kill")


@ENDS
@KEEPING
def test_what_was_held_waits_on_in_order(make, end):
    service = make()
    token = service.create_channel("me")
    for text in ("a", "\u20ac", "\ud800", "c\u0000"):
        service.send_message("me", text)
    commit(service)
    service = make(end)
    assert [text for text, _ in service.channels.find("me").held] == ["a", "\u20ac", "\ud800", "c\u0000"]
    connect(service, token)
    assert not service.channels.find("me").held
    commit(service)
    service = make(end)
    assert service.waiting == 4  # once: they are the session's


@ENDS
@KEEPING
def test_what_was_to_be_polled_is(make, end):
    service = make()
    service.create_channel("me")
    service.pollers.connect("me")
    for text in "abc":
        service.send_message("me", text)
    assert service.pollers.poll("me") == "a"
    commit(service)
    service = make(end)
    assert service.waiting == 2
    assert [service.pollers.poll("me") for _ in range(3)] == ["b", "c", ""]
    service.pollers.disconnect("me")
    commit(service)
    assert make(end).waiting == 0


@ENDS
@KEEPING
def test_maps_that_were_taken_are_not_taken_again(make, end):
    service = make()
    session = connect(service)
    service.forward(session, -1, 1, [{"a": "1"}], 5)
    commit(service)
    service = make(end)
    found = service.find(query(session))
    seen = []
    found.on_map = seen.append
    service.forward(found, -1, 1, [{"a": "1"}, {"a": "2"}], 6)
    assert seen == [{"a": "2"}]


@KEEPING
def test_an_answer_to_a_map_and_the_map_are_kept_together(make):
    service = make()
    session = connect(service)
    session.on_map = lambda one: session.send(one["a"])
    before = session.next_id
    service.forward(session, -1, 1, [{"a": "1"}], 5)
    service = make()  # killed before the commit
    found = service.find(query(session))
    assert found.next_id == before
    found.on_map = lambda one: found.send(one["a"])
    service.forward(found, -1, 1, [{"a": "1"}], 5)
    commit(service)
    assert make().find(query(session)).next_id == before + 1


@ENDS
@KEEPING
def test_an_ended_session_stays_ended(make, end):
    service = make()
    session = connect(service)
    service.end(session, "terminated")
    commit(service)
    service = make(end)
    assert len(service) == 0
    assert not service.is_connected("me")


@ENDS
@KEEPING
def test_a_stopped_session_tells_its_client_after_all(make, end):
    service = make()
    session = connect(service)
    service.send_message("me", "last")
    session.stop()
    commit(service)
    service = make(end)
    found = service.find(query(session))
    assert found.stopped
    assert [data for _, data in Asked(service, found).arrays()][-1] == b'["stop"]'
    assert found.ended
    assert not service.is_connected("me")
    commit(service)
    assert not make(end).is_connected("me")


@ENDS
@KEEPING
def test_what_overflowed_is_not_sent_by_the_next_process(make, end):
    service = make(max_unacknowledged=2000)
    session = connect(service)
    for _ in range(40):
        service.send_message("me", "x" * 80)
    assert session.stopped
    commit(service)
    service = make(end, max_unacknowledged=2000)
    arrays = Asked(service, service.find(query(session))).arrays()
    assert arrays[-1][1] == b'["stop"]'
    assert [array_id for array_id, _ in arrays] == list(range(arrays[0][0], arrays[0][0] + len(arrays)))


def presence(seen):
    return {
        "on_connected": lambda who: seen.append(f"+{who}"),
        "on_disconnected": lambda who: seen.append(f"-{who}"),
    }


@KEEPING
def test_presence_is_told_at_an_end_in_order_and_again_when_the_client_is_back(make):
    seen = []
    session = connect(make(**presence(seen)))
    service = make("in order", **presence(seen))
    assert seen == ["+me", "-me"]
    service.send_message("me", "meanwhile")
    service.find(query(session))
    service.find(query(session))
    assert seen == ["+me", "-me", "+me"]


@KEEPING
def test_presence_is_told_of_a_client_that_a_kill_has_cost(make):
    seen = []
    session = connect(make(**presence(seen)))
    service = make("kill", **presence(seen))
    service.find(query(session))
    assert seen == ["+me"]
    make.clock.now += 61
    service.sweep()
    assert seen == ["+me", "-me"]


@KEEPING
def test_a_client_that_does_not_come_back_after_an_end_in_order_is_not_told_twice(make):
    seen = []
    connect(make(**presence(seen)))
    service = make("in order", **presence(seen))
    make.clock.now += 61
    service.sweep()
    assert len(service) == 0
    assert seen == ["+me", "-me"]


@KEEPING
def test_a_key_that_is_given_stays_out_of_the_store(make):
    service = make(key=b"k" * 16)
    token = service.create_channel("me")
    commit(service)
    with pytest.raises(Refusal, match="Invalid"):
        make().read_token(token)
    assert make(key=b"k" * 16).read_token(token).client_id == "me"


@KEEPING
def test_what_is_not_committed_is_not_kept(make):
    service = make()
    session = connect(service)
    service.send_message("me", "never answered")
    assert make().find(query(session)).waiting == 0


@KEEPING
def test_sessions_of_several_services_share_a_store(kind):
    seen = []

    def both():
        store = kind()
        two = [BrowserChannelService(seen.append, store=store, name=name) for name in ("a", "b")]
        for one in two:
            one.load()
        return two

    one, two = both()
    session, _ = one.open(Opening({}, []))
    session.send({"hello": 1})
    commit(one)
    one.store.abandon()
    one, two = both()
    assert [len(one), len(two)] == [1, 0]
    assert [each.restored for each in seen] == [False, True]
    assert seen[1].next_id == session.next_id
    one.store.close(told=True)


# SQLite's own.


def test_a_file_has_one_process_at_a_time_and_is_for_its_owner_only(tmp_path):
    file = tmp_path / "state"
    first = SqliteStore(file)
    first.open()
    assert file.stat().st_mode & 0o777 == 0o600
    with pytest.raises(StoreError, match="another server has it open"):
        SqliteStore(file, wait=0.05).open()
    first.close(told=True)
    second = SqliteStore(file, wait=0)
    assert second.load().told
    assert not second.load().told
    second.close(told=False)


def test_a_file_that_is_something_else_is_left_alone(tmp_path):
    for name, content in {"text": b"no database at all " * 100, "folder": None}.items():
        file = tmp_path / name
        if content is None:
            file.mkdir()
        else:
            file.write_bytes(content)
        with pytest.raises(StoreError, match=name):
            SqliteStore(file, wait=0).open()
    other = sqlite3.connect(tmp_path / "other")
    other.execute("CREATE TABLE t (x)")
    other.close()
    with pytest.raises(StoreError, match="something else"):
        SqliteStore(tmp_path / "other", wait=0).open()
    with pytest.raises(StoreError, match="nowhere"):
        SqliteStore(tmp_path / "nowhere" / "state", wait=0).open()
    store = SqliteStore(tmp_path / "newer")
    store.open()
    store.close(told=True)
    other = sqlite3.connect(tmp_path / "newer")
    other.execute("PRAGMA user_version = 99")
    other.close()
    with pytest.raises(StoreError, match="another version"):
        store.open()


def test_all_who_wait_in_one_turn_share_a_commit(tmp_path):
    async def run():
        service = ChannelService(store=SqliteStore(tmp_path / "state"))
        service.load()
        service.create_channel("me")
        await service.commit()
        commits = []
        store = service.store
        inner = store._write
        store._write = lambda: (commits.append(1), inner())

        async def send(number):
            service.send_message("me", str(number))
            await service.commit()

        await asyncio.gather(*map(send, range(100)))
        assert len(commits) == 1
        await service.commit()
        assert len(commits) == 1
        store.close(told=False)

    asyncio.run(run())


def test_while_the_file_cannot_be_written_nothing_is_taken_on_and_what_was_is_tried_again(tmp_path, caplog):
    async def run():
        store = SqliteStore(tmp_path / "state")
        service = ChannelService(store=store)
        service.load()
        service.create_channel("me")
        await service.commit()
        store._connection.execute("PRAGMA max_page_count = 1")
        service.send_message("me", "x" * 30_000)
        waiting = [asyncio.ensure_future(service.commit()) for _ in range(3)]
        for one in waiting:
            with pytest.raises(Refusal, match="503"):
                await one
        with pytest.raises(Refusal, match="503"):
            service.send_message("me", "more")
        with pytest.raises(Refusal, match="503"):
            service.create_channel("you")
        service.sweep()
        store._connection.execute("PRAGMA max_page_count = 100000")
        await service.commit()
        service.send_message("me", "y")
        await service.commit()
        store.abandon()
        assert [len(text) for text in store.load().held["me"]] == [30_000, 1]
        store.close(told=False)

    asyncio.run(run())
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]
    assert "full" in caplog.text


def test_a_thread_waits_for_the_commit_with_and_without_an_event_loop(tmp_path):
    store = SqliteStore(tmp_path / "state")
    service = ChannelService(store=store)
    token = service.create_channel("me")
    store.commit_from_thread()
    store.abandon()
    service.hand_over()
    assert service.read_token(token).client_id == "me"
    assert service.has_channel("me")

    async def run():
        await service.commit()
        service.send_message("me", "a")
        store.commit_from_thread()  # begins
        await asyncio.to_thread(send, "b")
        store.abandon()

    def send(text):
        service.send_message("me", text)
        store.commit_from_thread()

    asyncio.run(run())
    assert store.load().held == {"me": ["a", "b"]}
    store.close(told=False)
