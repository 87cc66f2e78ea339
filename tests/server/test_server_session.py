"""gaechannel.server.core.session and .sessions: arrays until acknowledged, maps once, without any HTTP."""

import contextlib
import dataclasses
import json
import logging

import pytest
from back_by_hand import Back
from wire_by_hand import chunks, units

from gaechannel.server import (
    BROWSERCHANNEL,
    WEBCHANNEL,
    BrowserChannelService,
    Limits,
    MemoryStore,
    Refusal,
    Session,
    SessionEnded,
)
from gaechannel.server.core.session import CHUNK_BYTES, WRITE_ARRAYS
from gaechannel.server.core.sessions import Opening
from gaechannel.server.core.traffic import Traffic


def make(clock, params=None, **options):
    service = BrowserChannelService(monotonic=clock, **options)
    session, payload = service.open(Opening(params or {}))
    assert payload.startswith(b'[[0,["c","' + session.sid.encode())
    session.data = []
    session.on_close = session.data.append
    return service, session


def attach(session, aid=0, **options):
    back = Back(**options)
    session.attach(back, aid)
    return back


def taken(session, back):
    chunk, last = session.take(back)
    return [array for one in chunks(chunk.decode()) for array in one], last


def test_a_session_needs_no_service(clock):
    """What it must know of its maker is SessionContext, and no more."""

    class Context:
        dialect, limits, monotonic, traffic = BROWSERCHANNEL, Limits(), clock, Traffic()
        lock = contextlib.nullcontext()
        store = MemoryStore()
        queued = 0

        def make_room(self):
            raise AssertionError("there is room")

        def end(self, session, reason):
            ended.append((session, reason))

    ended = []
    context = Context()
    session = Session(context, "SID", params={}, form={}, headers={})
    assert session.send("hello") == 1
    arrays, last = taken(session, attach(session, -1))
    assert arrays == [[0, ["c", "SID", "", 8, 14, 25000]], [1, "hello"]]
    assert not last
    assert context.queued == session.outstanding > 0
    session.close()
    assert ended == [(session, "closed")]


def test_what_is_not_acknowledged_is_given_to_the_next_back_channel_again(clock):
    _, session = make(clock)
    assert [session.send(text) for text in "abc"] == [1, 2, 3]
    expected = [[1, "a"], [2, "b"], [3, "c"]]
    assert taken(session, attach(session)) == (expected, False)
    assert taken(session, attach(session)) == (expected, False)
    assert taken(session, attach(session, 2)) == ([[3, "c"]], False)
    assert taken(session, attach(session, 3)) == ([], False)


def test_array_0_goes_again_until_it_is_acknowledged(clock):
    _, session = make(clock)
    ((identity, data),), _ = taken(session, attach(session, -1))
    assert (identity, data) == (0, ["c", session.sid, "", 8, 14, 25000])


def test_an_aid_past_what_was_sent_loses_nothing(clock):
    _, session = make(clock)
    session.send("a")
    assert taken(session, attach(session, 1))[0] == [[1, "a"]]
    assert taken(session, attach(session, 10**17))[0] == []
    session.send("b")
    assert taken(session, attach(session, 10**17))[0] == [[2, "b"]]


def test_an_aid_that_goes_back_changes_nothing(clock):
    _, session = make(clock)
    session.send("a")
    taken(session, attach(session))
    back = attach(session, 1)
    session.acknowledge(0)
    assert taken(session, back)[0] == []


def test_an_array_wakes_the_back_channel_once_until_it_takes(clock):
    _, session = make(clock)
    back = attach(session)
    for text in "abc":
        session.send(text)
    assert back.wakes == 1
    assert len(taken(session, back)[0]) == 3
    session.send("d")
    assert back.wakes == 2


def test_a_new_back_channel_ends_the_old_one(clock):
    _, session = make(clock)
    old = attach(session)
    new = attach(session)
    assert (old.wakes, old.aborts) == (1, 1)
    session.send("a")
    assert taken(session, old) == ([], True)
    session.detach(old)
    assert session.has_back_channel
    assert taken(session, new) == ([[1, "a"]], False)
    session.detach(new)
    assert not session.has_back_channel


def test_ci_1_ends_the_back_channel_after_one_chunk(clock):
    _, session = make(clock)
    back = attach(session, one_batch=True)
    assert taken(session, back) == ([], False)
    session.send("a")
    assert taken(session, back) == ([[1, "a"]], True)


def test_many_arrays_go_in_chunks_of_bounded_size(clock):
    _, session = make(clock)
    for _ in range(WRITE_ARRAYS + 1):
        session.send(1)
    back = attach(session)
    assert len(taken(session, back)[0]) == WRITE_ARRAYS
    assert len(taken(session, back)[0]) == 1
    for _ in range(10):
        session.send("x" * (CHUNK_BYTES // 4))
    while arrays := taken(session, back)[0]:
        assert len(arrays) <= 5


def test_an_array_larger_than_a_chunk_goes_alone(clock):
    _, session = make(clock)
    session.send("x" * 2 * CHUNK_BYTES)
    session.send("b")
    back = attach(session)
    assert [len(taken(session, back)[0]) for _ in range(3)] == [1, 1, 0]


def test_a_back_channel_ends_after_so_many_bytes(clock):
    _, session = make(clock, backchannel_bytes=50)
    back = attach(session)
    for _ in range(20):
        session.send("abcdef")
    arrays, last = taken(session, back)
    assert last
    assert 1 < len(arrays) < 20


def test_a_back_channel_ends_before_the_session_is_full(clock):
    _, session = make(clock, max_unacknowledged=1000)
    back = attach(session)
    session.send("x" * 600)
    assert taken(session, back)[1]


def test_keep_alives_come_when_nothing_else_does(clock):
    service, session = make(clock, keepalive=25.0)
    back = attach(session)
    clock.now += 24.9
    service.sweep()
    assert taken(session, back)[0] == []
    clock.now += 0.1
    service.sweep()
    service.sweep()
    assert taken(session, back)[0] == [[1, ["noop"]]]
    clock.now += 24.9
    service.sweep()
    assert taken(session, back)[0] == []


def test_keep_alives_do_not_pile_up_behind_a_client_that_does_not_read(clock):
    service, session = make(clock, keepalive=25.0)
    attach(session)
    for _ in range(5):
        clock.now += 25
        service.sweep()
    assert session.next_id == 2


def test_a_keep_alive_of_webchannel_is_not_wrapped(clock):
    service, session = make(clock, dialect=WEBCHANNEL)
    back = attach(session)
    session.send({"a": 1})
    clock.now += 25
    assert taken(session, back)[0] == [[1, [{"a": 1}]]]
    clock.now += 25
    service.sweep()
    assert taken(session, back)[0] == [[2, ["noop"]]]


@pytest.mark.parametrize("dialect", [BROWSERCHANNEL, WEBCHANNEL], ids=lambda dialect: dialect.name)
@pytest.mark.parametrize("count", [1, 3])
def test_bytes_characters_and_units_of_a_chunk_are_as_many_unless_utf_8_is_asked_for(clock, dialect, count):
    """A client that counts what the protocol does not count goes deaf where they differ."""
    data = {"é": "€ 😀 \u2028"}
    for ascii_only in (True, False):
        _, session = make(clock, dialect=dataclasses.replace(dialect, ascii_only=ascii_only))
        for _ in range(count - 1):
            session.send(data)
        session.send_error(400, "é😀")
        chunk, _ = session.take(attach(session))
        assert chunk.isascii() == ascii_only
        length, text = chunk.decode().split("\n", 1)
        assert int(length) == units(text)
        wrapped = data if dialect is BROWSERCHANNEL else [data]
        assert [array[1] for array in json.loads(text)[:-1]] == [wrapped] * (count - 1)


def test_a_back_channel_is_ended_in_order_when_its_time_is_over(clock):
    service, session = make(clock, backchannel_seconds=240.0)
    back = attach(session)
    clock.now += 240
    service.sweep()
    assert back.ending
    session.send("a")
    assert taken(session, back) == ([[1, "a"]], True)


def test_a_back_channel_ends_at_its_time_under_load_too(clock):
    _, session = make(clock)
    for _ in range(2 * WRITE_ARRAYS):
        session.send(1)
    back = attach(session)
    assert not taken(session, back)[1]
    session.send(1)
    back.ending = True
    assert taken(session, back)[1]


def test_a_closed_session_gives_its_last_back_channel_all_that_there_is(clock):
    _, session = make(clock, backchannel_bytes=100)
    back = attach(session, one_batch=True)
    for _ in range(30):
        session.send("abc")
    session.close()
    got = []
    last = False
    while not last:
        arrays, last = taken(session, back)
        got += arrays
    assert len(got) == 30


def test_a_back_channel_that_ends_with_nothing_to_write_just_ends(clock):
    _, session = make(clock)
    back = attach(session)
    back.ending = True
    assert taken(session, back) == ([], True)


def test_a_back_channel_whose_client_does_not_read_is_cut_in_the_end(clock):
    service, session = make(clock, backchannel_seconds=240.0, keepalive=25.0)
    back = attach(session)
    clock.now += 264
    service.sweep()
    assert back.aborts == 0
    clock.now += 1
    service.sweep()
    assert back.aborts == 1


def test_a_back_channel_whose_connection_has_gone_is_noticed(clock):
    service, session = make(clock)
    back = attach(session)
    back.gone = True
    service.sweep()
    assert not session.has_back_channel
    assert back.wakes == 1
    assert taken(session, back) == ([], True)


def test_a_session_for_which_it_is_not_time_is_not_looked_at(clock):
    service, session = make(clock, keepalive=25.0, session_timeout=60.0)
    back = attach(session)
    taken(session, back)
    looks = []
    back.lost = lambda: looks.append(clock.now) or False
    began = clock.now
    for _ in range(40):
        service.sweep()
        if not session.idle:
            assert taken(session, back) == ([[len(looks) - 1, ["noop"]]], False)
        clock.now += 2.5
    assert [at - began for at in looks] == [0.0, 25.0, 50.0, 75.0]


def test_a_session_whose_client_has_gone_ends(clock):
    service, session = make(clock, session_timeout=60.0)
    back = attach(session)
    clock.now += 100
    service.sweep()
    assert service.sessions == [session]
    session.detach(back)
    clock.now += 60
    service.sweep()
    assert service.sessions == [session]
    clock.now += 0.1
    service.sweep()
    assert len(service) == 0
    assert session.data == ["timeout"]


def test_a_client_that_does_not_acknowledge_is_stopped(clock, caplog):
    service, session = make(clock, max_unacknowledged=500)
    back = attach(session)
    session.send("a")
    taken(session, back)
    for _ in range(3):
        session.send("x" * 100)
    with caplog.at_level(logging.WARNING), pytest.raises(SessionEnded):
        session.send("x" * 200)
    assert "does not acknowledge" in caplog.text
    assert session.outstanding < 500
    # What was not sent has been dropped, and the id after the last one sent is the stop's.
    assert taken(session, back) == ([[2, ["stop"]]], False)
    assert taken(session, back) == ([], True)
    service.written(session)
    assert session.data == ["overflow"]


def test_an_id_that_an_earlier_back_channel_carried_is_not_given_twice(clock):
    _, session = make(clock, max_unacknowledged=500)
    back = attach(session)
    for text in "abc":
        session.send(text)
    taken(session, back)
    again = attach(session)
    with pytest.raises(SessionEnded):
        session.send("x" * 500)
    assert taken(session, again)[0] == [[1, "a"], [2, "b"], [3, "c"], [4, ["stop"]]]


def test_stop_delivers_what_was_sent_and_ends(clock):
    service, session = make(clock)
    session.send("a")
    session.stop()
    session.stop()
    session.close()
    service.written(session)
    assert session.data == []
    with pytest.raises(SessionEnded):
        session.send("b")
    back = attach(session)
    assert taken(session, back) == ([[1, "a"], [2, ["stop"]]], False)
    service.written(session)
    service.written(session)
    assert session.data == ["stopped"]


def test_a_stop_that_was_cut_off_is_sent_again(clock):
    _, session = make(clock)
    session.stop()
    assert taken(session, attach(session))[0] == [[1, ["stop"]]]
    assert taken(session, attach(session, 0))[0] == [[1, ["stop"]]]
    with pytest.raises(Refusal, match="Unknown SID"):
        attach(session, 1)


def test_a_stopped_session_takes_no_maps(clock):
    service, session = make(clock)
    session.stop()
    with pytest.raises(Refusal, match="Unknown SID"):
        service.forward(session, 0, 0, [{"a": "b"}])


def test_a_stopped_session_is_forgotten_with_time(clock):
    service, session = make(clock)
    session.stop()
    clock.now += 61
    service.sweep()
    assert len(service) == 0
    assert session.data == ["timeout"]


def test_close_ends_at_once_where_the_dialect_has_no_word_for_it(clock):
    service, session = make(clock)
    back = attach(session)
    session.close()
    session.stop()
    assert len(service) == 0
    assert session.data == ["closed"]
    assert taken(session, back) == ([], True)
    with pytest.raises(SessionEnded):
        session.send("a")


def test_close_has_a_word_in_webchannel(clock):
    service, session = make(clock, dialect=WEBCHANNEL)
    back = attach(session)
    session.close()
    assert taken(session, back)[0] == [[1, ["close"]]]
    service.written(session)
    assert session.data == ["closed"]


def test_maps_are_delivered_once_and_in_order(clock):
    service, session = make(clock)
    got = []
    session.on_map = got.append
    maps = [{"n": str(n)} for n in range(10)]
    service.forward(session, 0, 0, maps[:3])
    service.forward(session, 0, 0, maps[:5])
    service.forward(session, 0, 1, maps[1:3])
    service.forward(session, 0, 5, maps[5:])
    assert got == maps


def test_ids_that_a_client_leaves_out_are_let_through(clock):
    service, session = make(clock)
    got = []
    session.on_map = got.append
    service.forward(session, 0, 1, [{"a": "1"}])
    service.forward(session, 0, 1, [{"a": "1"}, {"a": "2"}])
    assert got == [{"a": "1"}, {"a": "2"}]


def test_messages_are_decoded_out_of_maps(clock):
    service, session = make(clock)
    got = []
    session.on_message = got.append
    service.forward(session, 0, 0, [{"JSON": '{"a":[1]}'}, {"_S": "text"}, {"other": "x"}, {"JSON": "null"}])
    assert got == [{"a": [1]}, "text", None]


def test_what_stands_for_a_map_that_is_none_is_counted_and_not_delivered(clock):
    service, session = make(clock)
    got = []
    session.on_map = got.append
    service.forward(session, 0, 0, [{"a": "1"}, {"type": "_badmap"}])
    service.forward(session, 0, 1, [{"n": "seen"}, {"type": "_badmap", "a": "2"}])
    assert got == [{"a": "1"}, {"type": "_badmap", "a": "2"}]


def test_a_handler_that_fails_is_logged_and_stops_its_session(clock, caplog):
    service, session = make(clock)
    other = service.open(Opening({}))[0]
    got, ends = [], []
    session.on_map = lambda map_: got.append(map_) or 1 / (map_["x"] != "1")
    session.on_close = ends.append
    service.forward(session, 0, 0, [{"x": number} for number in "012"])
    assert got == [{"x": "0"}, {"x": "1"}]
    assert f"the handler of session {session.name} failed" in caplog.text
    arrays, last = taken(session, attach(session, -1))
    assert (arrays[-1][1], last) == (["stop"], False)
    service.written(session)
    assert ends == ["failed"]
    with pytest.raises(Refusal, match="Unknown SID"):
        service.forward(session, 0, 3, [{"x": "3"}])
    assert not other.stopped
    assert not other.ended


@pytest.mark.parametrize("text", ["s3cret", "", "[" * 100_000])
def test_a_map_that_is_no_json_is_said_in_one_line_and_no_handler_is_blamed(clock, caplog, text):
    service, session = make(clock)
    got = []
    session.on_message = got.append
    service.forward(session, 0, 0, [{"JSON": text}, {"JSON": "1"}])
    assert got == [1]
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.exc_info is None
    assert f"session {session.name}: a map is no JSON under its key JSON" in record.getMessage()
    assert "\n" not in record.getMessage()
    assert "handler" not in record.getMessage()
    assert "s3cret" not in record.getMessage()


def test_the_reply_to_maps_tells_the_state_of_the_back_channel(clock):
    service, session = make(clock)
    assert service.forward(session, 0, 0, []) == [0, 0, 0]
    session.send("a")
    assert service.forward(session, 0, 0, []) == [0, 0, 0]
    back = attach(session)
    taken(session, back)
    session.send("b")
    assert service.forward(session, 0, 0, []) == [1, 1, len('[1,"a"]')]
    assert service.forward(session, 1, 0, []) == [1, 1, 0]


def test_a_session_that_replaces_another_ends_it(clock):
    service, old = make(clock, max_sessions=1)
    back = attach(old)
    service.open(Opening({"OSID": old.sid, "OAID": "0"}))
    assert len(service) == 1
    assert old.data == ["replaced"]
    assert back.ending


def test_there_are_no_more_sessions_than_allowed(clock):
    service, _ = make(clock, max_sessions=1)
    with pytest.raises(Refusal, match="429") as refused:
        service.open(Opening({"OSID": "unknown"}))
    assert refused.value.headers == {"Retry-After": "5"}


def test_what_on_session_sends_goes_out_with_the_opening_reply(clock):
    service = BrowserChannelService(lambda session: session.send("hi"), monotonic=clock)
    session, payload = service.open(Opening({}))
    assert payload.endswith(b'\n,[1,"hi"]\n]\n')
    assert "next=2" in repr(session)


def test_a_host_prefix_is_told(clock):
    _, session = make(clock, host_prefix="b")
    assert taken(session, attach(session, -1))[0][0][1][2] == "b"


def test_end_back_channels_keeps_the_sessions(clock):
    service, session = make(clock)
    service.open(Opening({}))
    back = attach(session)
    service.end_back_channels()
    assert back.ending
    assert len(service) == 2
