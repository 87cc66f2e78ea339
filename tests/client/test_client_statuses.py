"""What each HTTP status does to a channel."""

import time

import pytest
from hostile import (
    TalkServer,
    chunk,
    cut,
    frame,
    message,
    messages,
    ok,
    opening,
    page,
    reply,
    streams,
)

from gaechannel import (
    ChannelClosed,
    HTTPStatusError,
    InvalidToken,
    SessionLost,
    TokenError,
    TokenExpired,
    TransportError,
)

pytestmark = pytest.mark.timeout(30)

STEPS = ["page", "opening", "connect", "back"]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(
    "status", ["400 Bad Request", "403 Forbidden", "404 Not Found", "418 Teapot", "204 No Content"]
)
def test_what_no_retry_can_mend_is_raised(client_of, step, status):
    if status.startswith("400") and step in {"connect", "back"}:
        status = "405 Method Not Allowed"  # there, 400 says that the session is lost
    with TalkServer(
        **{step: reply(b"" if status.startswith("204") else b"the reason why", status)}
    ) as server:
        with pytest.raises(HTTPStatusError) as caught:
            next(client_of(server).messages())
        assert len(server.of(step)) == 1
    error = caught.value
    assert (error.code, error.reason) == (int(status[:3]), status[4:])
    assert error.body == ("" if error.code == 204 else "the reason why")
    assert not isinstance(error, TokenError)
    assert isinstance(error, OSError)
    assert error.curl_code == 0
    assert status in str(error)
    assert server.base_url in str(error)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("status", ["408 Request Timeout", "429 Too Many Requests", "500 Oops", "503 Busy"])
def test_what_may_pass_is_tried_again(client_of, take, step, status):
    # The first back channel is answered in order: that of the second step list is about the one after.
    good = {"page": ok(page()), "opening": ok(opening()), "connect": ok(frame("[1,2,3]"))}
    good["back"] = streams(messages(1, "after all"))
    with TalkServer(
        **{step: [reply(b"", status), reply(b"", status), good[step]]},
        **({} if step == "back" else {"back": good["back"]}),
    ) as server:
        assert take(client_of(server), 1) == ["after all"]
        assert len(server.of(step)) == 3
        # `t` counts the attempts.
        if step != "page":
            assert [request.query["t"] for request in server.of(step)] == ["1", "2", "3"]


def test_retry_after_is_waited_for(client_of, take):
    with TalkServer(back=[reply(b"", "503 Busy", "Retry-After: 1"), streams(messages(1, "a"))]) as server:
        assert take(client_of(server), 1) == ["a"]
        first, second = server.of("back")
        assert second.at - first.at >= 0.95


def test_a_date_in_retry_after_is_understood(client_of, take):
    past = "Retry-After: Fri, 31 Dec 1999 23:59:59 GMT"
    with TalkServer(back=[reply(b"", "429 Slow Down", past), streams(messages(1, "a"))]) as server:
        assert take(client_of(server), 1) == ["a"]


def test_max_reconnects_bounds_the_tries(client_of):
    with TalkServer(back=reply(b"", "503 Busy")) as server:
        with pytest.raises(HTTPStatusError, match="503 Busy"):
            next(client_of(server, max_reconnects=3).messages())
        assert len(server.of("back")) == 4


def test_without_auto_reconnect_nothing_is_tried_again(client_of):
    with TalkServer(back=reply(b"", "503 Busy")) as server:
        client = client_of(server, auto_reconnect=False)
        with pytest.raises(HTTPStatusError, match="503 Busy"):
            next(client.messages())
        assert len(server.of("back")) == 1
        with pytest.raises(HTTPStatusError, match="503 Busy"):
            next(client.messages())
        assert len(server.of("back")) == 2


# ---- The session is gone ----


GONE = {
    "in the reason": reply(b"", "400 Unknown SID"),
    "in the reason, encoded": reply(b"", "400 Unknown+SID"),
    "in the body": reply(b"<html><body>Unknown SID</body></html>", "400 Bad Request"),
    "in the body, in small letters": reply(b"unknown sid", "400 "),
    "410": reply(b"", "410 Gone"),
}


@pytest.mark.parametrize("answer", GONE.values(), ids=GONE)
def test_a_lost_session_is_replaced_with_the_same_token(client_of, take, log, answer):
    with TalkServer(
        opening=[ok(opening("SID1")), ok(opening("SID2"))],
        back=[ok(messages(1, "a")), answer, streams(messages(1, "b"))],
    ) as server:
        client = client_of(server)
        assert take(client, 2) == ["a", "b"]
        assert client.stats.sessions == 2
        assert client.sid == "SID2"
        assert server.steps() == ["page", "opening", "connect", "back", "back", "opening", "connect", "back"]
        assert [r.query.get("AID") for r in server.requests[1:]] == [None, "0", "0", "1", None, "0", "0"]
        assert server.requests[-2].form["ofs"] == "0"
    assert any("lost" in text for text in log.at(30))


def test_a_session_lost_between_opening_and_connecting_is_replaced(client_of, take):
    lost = reply(b"", "400 Unknown SID")
    with TalkServer(
        opening=[ok(opening("SID1")), ok(opening("SID2"))],
        connect=[lost, ok(frame("[1,0,0]"))],
        back=streams(messages(1, "a")),
    ) as server:
        assert take(client_of(server), 1) == ["a"]
        assert server.steps() == ["page", "opening", "connect", "opening", "connect", "back"]


def test_a_server_that_knows_no_session_is_not_asked_in_a_busy_loop(client_of):
    with TalkServer(back=reply(b"", "400 Unknown SID")) as server:
        with pytest.raises(HTTPStatusError, match="Unknown SID"):
            next(client_of(server, max_reconnects=6, max_backoff=0.1).messages())
        first, *_, last = server.of("opening")
        # Six more sessions, the first of them at once; each wait is half of max_backoff or more.
        assert len(server.of("opening")) == 7
        assert last.at - first.at >= 5 * 0.05
        # After some the client begins with its page again.
        assert len(server.of("page")) > 1


@pytest.mark.parametrize("step", ["connect", "back"])
def test_a_server_that_never_knew_a_session_is_given_up(client_of, step):
    with TalkServer(**{step: reply(b"", "400 Bad Request")}) as server:
        with pytest.raises(SessionLost, match="400 Bad Request"):
            next(client_of(server).messages())
        assert 5 < len(server.of("opening")) < 12


def test_raised_unknown_sid_is_not_the_end(client_of, take):
    with TalkServer(
        opening=[ok(opening("SID1")), ok(opening("SID2"))],
        back=[reply(b"", "400 Unknown SID"), streams(messages(1, "a"))],
    ) as server:
        client = client_of(server, auto_reconnect=False)
        with pytest.raises(HTTPStatusError, match="Unknown SID"):
            next(client.messages())
        assert take(client, 1) == ["a"]
        assert client.sid == "SID2"


# ---- Tokens ----


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(
    "reason", ["Token timed out", "Token+timed+out.", "Expired", "token TIMED OUT", "Token expired"]
)
def test_an_expired_token_raises(client_of, step, reason):
    with TalkServer(**{step: reply(b"", f"401 {reason}")}) as server:
        with pytest.raises(TokenExpired) as caught:
            next(client_of(server).messages())
        assert len(server.of(step)) == 1
    assert caught.value.code == 401
    assert caught.value.reason == reason


def test_an_expired_token_is_known_by_the_body_too(client_of):
    with (
        TalkServer(page=reply(b"<h1>Token timed out.</h1>", "401 Unauthorized")) as server,
        pytest.raises(TokenExpired),
    ):
        next(client_of(server).messages())


@pytest.mark.parametrize("step", STEPS)
# The last ones end where a longer text could go on.
@pytest.mark.parametrize(
    ("reason", "raised"),
    [
        ("Invalid+token.", InvalidToken),
        ("RID_OUTSIDE_WINDOW", HTTPStatusError),
        ("Unauthorized: no such 31 by Token", HTTPStatusError),
        ("Token", HTTPStatusError),
        ("", HTTPStatusError),
    ],
)
def test_a_401_is_raised_as_what_its_words_say(client_of, step, reason, raised):
    with TalkServer(**{step: reply(b"Token", f"401 {reason}")}) as server:
        with pytest.raises(HTTPStatusError) as caught:
            next(client_of(server, token=lambda: "another one").messages())
        assert len(server.of(step)) == 1
    assert type(caught.value) is raised
    assert caught.value.reason == reason


def test_a_token_that_is_refused_is_told_with_what_may_be_done(client_of):
    with TalkServer(page=reply(b"", "401 Token+timed+out.")) as server:
        with pytest.raises(
            TokenExpired, match=r"; a callable in the token's place is asked for another one$"
        ):
            client_of(server).recv()
        with pytest.raises(TokenExpired, match=r"\*\)$"):  # it was asked
            client_of(server, token=lambda: "another one").recv()
    told = pytest.raises(InvalidToken, match=r"; it is not this server's, or was made before ")
    with TalkServer(page=reply(b"", "401 Invalid+token.")) as server, told:
        client_of(server).recv()


def test_a_token_that_had_worked_is_asked_for_again_when_a_restarted_server_does_not_know_it(client_of, take):
    invalid = reply(b"", "401 Invalid+token.")
    tokens = iter(["old-token", "new-token", "never"])
    with TalkServer(
        back=[ok(messages(1, "a")), invalid, streams(messages(1, "b"))],
        page=[ok(page()), ok(page()), invalid],
    ) as server:
        client = client_of(server, token=lambda: next(tokens))
        assert take(client, 2) == ["a", "b"]
        assert client.token == "new-token"
        assert [request.query["token"] for request in server.of("page")] == ["old-token", "new-token"]


def test_a_token_that_is_invalid_twice_in_a_row_raises(client_of):
    invalid = reply(b"", "401 Invalid+token.")
    tokens = iter(["old-token", "new-token", "never"])
    with TalkServer(back=[ok(messages(1, "a")), invalid], page=[ok(page()), invalid]) as server:
        iterator = client_of(server, token=lambda: next(tokens)).messages()
        assert next(iterator) == "a"
        with pytest.raises(InvalidToken):
            next(iterator)
        assert next(tokens) == "never"


@pytest.mark.parametrize("step", STEPS)
def test_an_expired_token_is_asked_for_again(client_of, take, step):
    good = {"page": ok(page()), "opening": ok(opening()), "connect": ok(frame("[1,2,3]"))}
    good["back"] = streams(messages(1, "a"))
    expired = reply(b"", "401 Token timed out")
    tokens = iter(["old-token", "new-token"])
    with TalkServer(**{**good, step: [expired, good[step]]}) as server:
        client = client_of(server, token=lambda: next(tokens))
        assert client.token is None
        assert take(client, 1) == ["a"]
        assert client.token == "new-token"
        # From the page on, with the new token.
        assert [(r.step, r.query["token"]) for r in server.requests] == [
            (one, "old-token") for one in STEPS[: STEPS.index(step) + 1]
        ] + [(one, "new-token") for one in STEPS]


def test_a_token_that_expires_later_is_asked_for_again_each_time(client_of, take):
    count = iter(range(100))
    expired = reply(b"", "401 Token timed out")
    back = [answer for n in range(1, 6) for answer in (ok(messages(1, f"m{n}")), expired)]
    with TalkServer(back=back) as server:
        client = client_of(server, token=lambda: f"token-{next(count)}")
        assert take(client, 5) == ["m1", "m2", "m3", "m4", "m5"]
        assert [r.query["token"] for r in server.of("page")] == [f"token-{n}" for n in range(5)]


@pytest.mark.parametrize("step", STEPS)
def test_new_tokens_that_are_expired_as_well_raise(client_of, step):
    asked = []
    with TalkServer(**{step: reply(b"", "401 Token timed out")}) as server:
        client = client_of(server, token=lambda: asked.append(1) or f"token-{len(asked)}")
        with pytest.raises(TokenExpired):
            next(client.messages())
        assert len(server.of(step)) == 2
    assert len(asked) == 2


def test_what_the_token_callable_raises_comes_out_and_can_be_tried_again(client_of, take):
    answers = iter([LookupError("no token today"), "token"])

    def ask():
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    with TalkServer(back=streams(messages(1, "a"))) as server:
        client = client_of(server, token=ask)
        messages_ = client.messages()
        with pytest.raises(LookupError, match="no token today"):
            next(messages_)
        assert server.requests == []
        assert take(messages_, 1) == ["a"]


@pytest.mark.parametrize(
    ("token", "error"), [(None, TypeError), (bytearray(b"x"), TypeError), ("", ValueError), (7, TypeError)]
)
def test_a_token_callable_must_return_a_text(client_of, token, error):
    with TalkServer() as server:
        with pytest.raises(error):
            next(client_of(server, token=lambda: token).messages())
        assert server.requests == []


# ---- The server says so in an array ----


@pytest.mark.parametrize(
    "stop", ['["stop"]', '["stop","a reason"]', "['stop']", '["\\u0073top"]', ' [ "stop" ] ']
)
def test_stop_raises_after_the_messages_before_it(client_of, stop):
    body = chunk(message(1, "a"), f"[2,{stop}]")
    with TalkServer(back=[ok(body), streams(messages(1, "anew"))]) as server:
        client = client_of(server)
        iterator = client.messages()
        assert next(iterator) == "a"
        with pytest.raises(ChannelClosed, match="stopped the session"):
            next(iterator)
        with pytest.raises(StopIteration):
            next(iterator)
        assert len(server.of("back")) == 1
        # Who asks again gets a new session.
        assert next(client.messages()) == "anew"
        assert len(server.of("opening")) == 2


def test_what_is_no_message_of_ours_moves_aid_and_nothing_else(client_of, take):
    body = chunk(
        '[1,["noop"]]',
        message(2, "not ours", clid="SOMEBODY"),
        '[3,["c",["C1L2I3D4",["xx","not a message"]]]]',
        '[4,{"any": ["thing", 1.5, null]}]',
        '[5,["close"]]',
        '[6,7]',
        '[7,"stop"]',
        '[8,["c","SIDX"]]',
        '[9,[]]',
        '[10,["c",["\\u00431L2I3D4",["ae","escaped clid"]]]]',
    )  # fmt: skip
    with TalkServer(back=[ok(body), streams(messages(11, "b"))]) as server:
        client = client_of(server)
        assert take(client, 2) == ["escaped clid", "b"]
        assert server.of("back")[1].query["AID"] == "10"
        assert client.sid == "SID1"
        assert client.stats.arrays == 1 + 10 + 1
        assert client.stats.messages == 2


@pytest.mark.parametrize("step", ["page", "opening"])
def test_a_cut_before_the_session_is_open_raises(client_of, step):
    with TalkServer(**{step: cut}) as server:
        started = time.monotonic()
        with pytest.raises(TransportError) as caught:
            next(client_of(server).messages())
        assert caught.value.curl_code != 0
        assert time.monotonic() - started < 5
        # libcurl asks once more where it was a connection in use that broke.
        assert len(server.of(step)) <= 2
