"""Tokens, cookies and passwords are in no log record, no exception and no repr."""

import base64
import pickle
import traceback
from urllib.parse import quote, quote_plus

import pytest
from hostile import TalkServer, cut, frame, messages, ok, opening, page, reply, streams

from gaechannel import ChannelError, Client
from gaechannel.server import LocalServer

pytestmark = pytest.mark.timeout(30)

TOKEN = "channel-4/To+ken=/secret"
COOKIE = "c00kie-secret"
PASSWORD = "passw0rd-secret"
AUTHORIZATION = "Bearer " + base64.b64encode(b"authorization-secret").decode()


def forms(secret):
    """The spellings in which a secret might be quoted."""
    return {secret, quote(secret, safe=""), quote_plus(secret), secret.replace("/", "\\/"), quote(secret)}


def all_said(error):
    """Everything that can be read off an exception."""
    chain = "".join(traceback.format_exception(error))
    attributes = " ".join(f"{name}={value!r}" for name, value in vars(error).items())
    copies = repr(error), str(error), repr(error.args), attributes, chain
    return "\n".join(copies)


def assert_no_secret(text, *secrets):
    for secret in secrets:
        for form in forms(secret):
            # Of a header, no word of some length either.
            for word in {form, *(part for part in form.split() if len(part) > 6)}:
                assert word not in text, text


def echo(status, before=b"", after=b""):
    """An answer that quotes the request, as servers' error pages do."""

    def answer(request, peer):
        quoted = "\n".join([request.target, *(f"{name}: {value}" for name, value in request.headers.items())])
        html = request.target.replace("&", "&amp;")
        body = (
            before
            + f"<pre>{quoted}</pre><a href='{html}'>{TOKEN} </a>{request.body.decode()}".encode()
            + after
        )
        peer.send(reply(body, f"{status} {request.target} {TOKEN}"))

    return answer


STEPS = ["page", "opening", "connect", "back"]
ANSWERS = {
    "403": echo("403"),
    "400": echo("400"),
    "401": echo("401"),
    "503": echo("503"),
    "html": lambda request, peer: peer.send(ok(f"<p>{request.target} {TOKEN}".encode())),
    "cut": cut,
    "redirect": lambda request, peer: peer.send(
        reply(b"", "302 Found", f"Location: http://{TOKEN}@127.0.0.2{request.target}")
    ),
    "long": echo("403", before=b"x" * 250, after=b"y" * 10_000),
}


@pytest.mark.parametrize(
    ("step", "name"),
    # HTML in reply to connecting is no error.
    [(step, name) for step in STEPS for name in ANSWERS if (step, name) != ("connect", "html")],
)
def test_no_secret_is_said(client_of, log, step, name):
    steps = {
        "page": ok(page(), f"Set-Cookie: S={COOKIE}; HttpOnly"),
        "opening": ok(opening()),
        "connect": ok(frame("[1,0,0]")),
    }
    with TalkServer(**{**steps, "back": ok(messages(1, "a")), step: ANSWERS[name]}) as server:
        url = server.base_url.replace("http://", f"http://user:{PASSWORD}@")
        client = client_of(
            url,
            token=TOKEN,
            headers={"Authorization": AUTHORIZATION},
            max_reconnects=1,
            proxy="",
        )
        said = [repr(client)]
        with pytest.raises(ChannelError) as caught:  # noqa: PT012 - one of several is the one
            for _ in range(5):
                list(client.long_poll_messages())
        assert any(request.headers.get("cookie") for request in server.requests) == (len(server.requests) > 1)
        said += [
            all_said(caught.value),
            repr(client),
            str(client),
            repr(client.messages()),
            repr(client.stats),
        ]
    said += log.texts
    assert any("token=***" in text for text in said)
    assert_no_secret("\n".join(said), TOKEN, COOKIE, PASSWORD, AUTHORIZATION)


def test_what_the_proxy_is_asked_with_is_not_said_either(client_of, log):
    client = client_of("http://127.0.0.1:1", proxy=f"http://user:{PASSWORD}@127.0.0.1:1")
    with pytest.raises(ChannelError) as caught:
        next(client.messages())
    assert_no_secret("\n".join([all_said(caught.value), *log.texts, repr(client)]), PASSWORD)


def test_refused_arguments_are_not_quoted():
    with pytest.raises(ValueError, match="base_url") as caught:
        Client(TOKEN, base_url=f"ftp://user:{PASSWORD}@host/")
    assert_no_secret(all_said(caught.value), TOKEN, PASSWORD)
    with pytest.raises(ValueError, match="header") as caught:
        Client(TOKEN, headers={"Authorization": AUTHORIZATION + "\r\n"})
    assert_no_secret(str(caught.value), AUTHORIZATION)


def test_a_renewed_token_is_as_secret_as_the_first(client_of, log):
    tokens = iter([TOKEN, "second-token-secret"])

    def answer(request, peer):
        peer.send(
            reply(
                f"you said {request.query['token']}".encode(), f"401 Token timed out {request.query['token']}"
            )
        )

    with TalkServer(page=answer) as server:
        client = client_of(server, token=lambda: next(tokens))
        with pytest.raises(ChannelError) as caught:
            next(client.messages())
        assert len(server.requests) == 2
    assert_no_secret("\n".join([all_said(caught.value), *log.texts]), TOKEN, "second-token-secret")


def test_cookies_that_change_with_each_answer_stay_secret(client_of, log):
    def answer(request, peer):
        number = int(request.query["AID"]) + 1
        cookie = request.headers.get("cookie", "")
        if number == 60:
            peer.send(reply(f"I do not like {cookie}".encode(), f"403 {cookie}"))
        else:
            peer.send(ok(messages(number, "x"), f"Set-Cookie: S={number:04}-{'s3cret' * 40}"))

    with TalkServer(back=answer) as server, pytest.raises(ChannelError) as caught:
        list(client_of(server, max_reconnects=0).messages())
    assert "s3cret" not in all_said(caught.value)
    assert "s3cret" not in "\n".join(log.texts)


def test_exceptions_can_be_pickled(client_of):
    with TalkServer(page=reply(b"no", "403 Go away")) as server, pytest.raises(ChannelError) as caught:
        next(client_of(server).messages())
    copy = pickle.loads(pickle.dumps(caught.value))
    assert type(copy) is type(caught.value)
    assert str(copy) == str(caught.value)
    assert (copy.code, copy.reason, copy.body) == (403, "Go away", "no")


def test_the_local_servers_tokens_are_not_said(client_of, take, log):
    with LocalServer(backchannel_seconds=0.05) as server:
        token = server.create_channel("me")
        client = client_of(server, token=token)
        for number in range(10):
            server.send_message("me", str(number))
        take(client, 10)
        server.kill(keep_sessions=False)
        client.max_reconnects = 0
        with pytest.raises(ChannelError) as caught:
            next(client.messages())
    assert_no_secret("\n".join([all_said(caught.value), *log.texts]), token)


def test_messages_are_logged_only_for_who_debugs(client_of, take, log):
    import logging

    logging.getLogger("Channel").setLevel(logging.INFO)
    with TalkServer(back=streams(messages(1, "private"))) as server:
        take(client_of(server), 1)
    assert not any("private" in text for text in log.texts)
