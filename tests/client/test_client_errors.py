"""What an exception of a status tells: headers, body, URL; and that exceptions can be pickled and copied."""

import asyncio
import copy
import json
import pickle
from urllib.parse import parse_qsl

import pytest
from hostile import Server, TalkServer, reply

import gaechannel
from gaechannel import BrowserChannel, HTTPStatusError, aio, errors
from gaechannel._options import is_credential

TOKEN = "t0ken-secret"


def failure(server, **options):
    """The exception of a client's first request."""
    with gaechannel.Client(TOKEN, base_url=server.base_url, **options) as client:
        with pytest.raises(HTTPStatusError) as caught:
            next(client.messages())
        return caught.value


def refusing(body, status="403 Forbidden", *headers):
    return TalkServer(page=reply(body, status, *headers))


def test_the_headers_are_there_as_urllib_has_them():
    with refusing(b"no", "403 Go Away", "X-Why: because", "x-why: of this", "Retry-After: 5") as server:
        error = failure(server)
    assert (error.code, error.msg, error.body) == (403, "Go Away", "no")
    assert error.headers["retry-after"] == "5"
    assert error.headers.get_all("X-Why") == ["because", "of this"]
    assert error.headers["X-Else"] is None


def test_only_the_last_heads_lines_are_there():
    with (
        Server(
            lambda request, peer: peer.send(b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\n" + reply(b"", "403 No"))
        ) as server,
        gaechannel.Client(TOKEN, base_url=server.url) as client,
        pytest.raises(HTTPStatusError) as caught,
    ):
        next(client.messages())
    assert caught.value.headers["Link"] is None


def test_the_url_is_there_without_secrets():
    with refusing(b"no") as server:
        error = failure(server)
        assert error.url == f"{server.base_url}/d?token=***&xpc=***"


def test_a_long_body_is_kept_as_it_is_up_to_64_kib():
    text = json.dumps(
        {"error": [{"message": "line\nline\t€"} for _ in range(1000)]}, ensure_ascii=False, indent=1
    )
    with refusing(text.encode()) as server:
        error = failure(server)
    assert error.body == text
    assert json.loads(error.body) == json.loads(text)
    assert len(str(error)) < 1000
    with refusing(b"x" * 100_000) as server:
        assert failure(server).body == "x" * 65536


def test_what_is_no_text_is_shown_as_escapes():
    with refusing(b"a\0b\xff") as server:
        assert failure(server).body == "a\0b\\xff"


LINK = "https://console.example/v1/r/project/p/indexes?create_composite=ClBwcm9q&pli=1"


def test_a_link_can_be_followed_but_for_credentials():
    body = f'{{"message": "create it: {LINK}", "log": "https://x/?key=AIzaSy0&a=b&access_token=ya29"}}'
    with refusing(body.encode()) as server:
        error = failure(server)
    assert json.loads(error.body)["message"] == f"create it: {LINK}"
    assert json.loads(error.body)["log"] == "https://x/?key=***&a=b&access_token=***"
    assert LINK in str(error)


CREDENTIALS = [
    "access_token",
    "accessToken",
    "AccessTokens",
    "loungeIdToken",
    "csrftoken",
    "key",
    "keys",
    "api_key",
    "apikey",
    "Key-Pair-Id",
    "AWSAccessKeyId",
    "client_secret",
    "password",
    "userpass",
    "pass",
    "passwd",
    "sig",
    "X-Goog-Signature",
    "sid",
    "connect.sid",
    "PHPSESSID",
    "JSESSIONID",
    "gsessionid",
    "session",
    "cookie",
    "oauth_token",
    "auth",
    "Authorization",
    "X-Amz-Credential",
    "jwt",
]
OTHERS = [
    "author",
    "authors",
    "design",
    "keyword",
    "keywords",
    "monkey",
    "compass",
    "passenger",
    "inside",
    "signal",
    "assign",
    "tokenizer",
    "secretary",
    "cookieless",
    "keynote",
    "sidebar",
]


def test_a_name_is_a_credentials_by_its_words_and_not_by_its_letters():
    link = "https://x/?" + "&".join(f"{name}=value" for name in [*CREDENTIALS, *OTHERS])
    with refusing(link.encode()) as server:
        shown = dict(parse_qsl(failure(server).body.partition("?")[2]))
    assert [name for name, value in shown.items() if value == "***"] == CREDENTIALS
    assert [name for name, value in shown.items() if value == "value"] == OTHERS
    # The caller's own parameters are sorted by the same words.
    assert all(map(is_credential, CREDENTIALS))
    assert not any(map(is_credential, OTHERS))


@pytest.mark.parametrize("shown", [4, 7, len(TOKEN) - 1])
def test_a_secret_that_a_long_body_is_cut_in_is_not_shown_by_half(shown):
    with refusing(b"x" * (65536 - shown) + TOKEN.encode() * 2) as server:
        assert failure(server).body == "x" * (65536 - shown) + "***"


def test_a_password_that_a_long_body_is_cut_in_is_not_shown_by_half():
    with refusing(b"x" * (65536 - 15) + b"http://me:passw0rd@host/" + b"x" * 100) as server:
        assert failure(server).body.endswith("xhttp://***")
    with refusing(b"x" * (65536 - 16) + b"http://host:8080/" + b"x" * 100) as server:
        assert failure(server).body.endswith("xhttp://host:8080")


def test_what_a_body_ends_with_by_chance_is_left():
    with refusing(b"not found: " + TOKEN[:3].encode()) as server:
        assert failure(server).body == "not found: " + TOKEN[:3]


def test_a_parameter_of_the_callers_is_hidden_in_the_message_and_left_in_the_body():
    body = b'{"name": "projects/mine/databases/(default)", "id": "k3y-of-mine"}'
    params = {"database": "projects/mine/databases/(default)", "loungeIdToken": "k3y-of-mine"}
    with (
        Server(lambda request, peer: peer.send(reply(body, "403 No"))) as server,
        BrowserChannel(server.url, params=params) as channel,
        pytest.raises(HTTPStatusError) as caught,
    ):
        next(channel.messages())
    assert "projects/mine" not in str(caught.value)
    assert json.loads(caught.value.body) == {"name": params["database"], "id": "***"}


def test_no_secret_is_in_body_headers_or_url():
    secrets = [TOKEN, "c00kie-secret", "hunter2-secret", "passw0rd"]

    def repeat(request, peer):
        said = f"{request.target} {request.headers['cookie']} {request.headers['authorization']}"
        peer.send(reply(said.encode(), "403 No", f"X-Said: {said}", "Set-Cookie: s=fresh-secret"))

    with TalkServer(page=repeat) as server:
        url = server.base_url.replace("://", "://me:passw0rd@")
        headers = {"Cookie": "a=c00kie-secret", "Authorization": "Bearer hunter2-secret"}
        client = gaechannel.Client(TOKEN, base_url=url, headers=headers)
        with client, pytest.raises(HTTPStatusError) as caught:
            next(client.messages())
    error = caught.value
    said = "\n".join([error.body, str(error.headers), error.url, str(error), repr(error)])
    assert "***" in error.body
    assert "***" in str(error.headers)
    for secret in [*secrets, "fresh-secret"]:
        assert secret not in said


def test_asynchronous_channels_tell_the_same():
    async def fail(server):
        async with aio.Client(TOKEN, base_url=server.base_url) as client:
            async for _message in client:
                pass

    with refusing(b"no\n", "403 No", "X-Why: because") as server, pytest.raises(HTTPStatusError) as caught:
        asyncio.run(fail(server))
    assert (caught.value.body, caught.value.headers["X-Why"]) == ("no\n", "because")
    assert caught.value.url.endswith("/d?token=***&xpc=***")


MADE = [
    errors.ChannelError("words"),
    errors.ParseError("words", 7),
    errors.TalkMessageCorrupted("words"),
    errors.TransportError("words", curl_code=7),
    errors.ChannelTimeout("words", curl_code=28),
    *(
        cls("words", code=403, reason="No", body="body", head="X-Why: because\r\n", url="http://x/")
        for cls in (
            HTTPStatusError,
            errors.SessionLost,
            errors.TokenError,
            errors.InvalidToken,
            errors.TokenExpired,
        )
    ),
    errors.MapsRefused("words", code=403, body="body", maps=[(3, {"a": [1]})]),
    errors.WebChannelError({"code": 5, "message": "words", "status": "NOT_FOUND"}),
    errors.SendQueueFull("words"),
    errors.ChannelClosed("words"),
]


def test_no_class_is_missing_in_the_list_of_what_can_be_copied():
    assert {type(error).__name__ for error in MADE} == set(errors.__all__)


@pytest.mark.parametrize("error", MADE, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda error: pickle.loads(pickle.dumps(error))])
def test_exceptions_survive_copying_and_pickling(error, again):
    error.add_note("seen by the test")
    other = again(error)
    assert type(other) is type(error)
    assert (str(other), other.args, vars(other)) == (str(error), error.args, vars(error))
    if isinstance(error, HTTPStatusError):
        assert other.headers.items() == error.headers.items()


def test_a_404_of_the_page_says_that_the_address_may_be_wrong():
    with refusing(b"nothing here", "404 Not Found") as server:
        assert "base_url" in str(failure(server))
    with refusing(b"nothing here", "403 No") as server:
        assert "base_url" not in str(failure(server))
