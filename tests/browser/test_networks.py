"""The script over networks and servers that break off, fall silent, or say something else."""

import time

import pytest
from browsing import HostileSite, many
from chaos_proxy import ChaosProxy
from hostile import chunk, cut, hang, head, message, ok, reply, silence, streams
from nginx import IGNORING
from waiting import until

EMOJI = "a😀é€"


def chunked(*pieces):
    """A body in HTTP's own chunks, and no end."""
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)


def text_of(number):
    """Some are long, some are no ASCII, some full of escapes."""
    if number % 1000 == 0:
        return f"{number} " + "long " * 1000
    return f"{number} " + (EMOJI, 'a "quoted" \\ line\n', "plain", "\u2028")[number % 4]


class TestCuts:
    def test_10000_messages_over_cut_connections_come_once_and_in_order(self, serve, tab):
        count = many(10_000)
        texts = [text_of(number) for number in range(count)]
        site = serve(backchannel_bytes=100_000)
        with ChaosProxy(site.server.port, fates={"dribble the answer": 500}) as proxy:
            one = tab(f"{proxy.url}/pages/listen.html")
            one.listen(site.server.create_channel("me"))
            one.wait_for(["open"])
            for number, text in enumerate(texts, 1):
                site.server.send_message("me", text)
                if number % 1000 == 0:
                    one.wait_for_messages(number - 500)
                if number % 2500 == 0:  # in the middle of what is on its way
                    proxy.cut_all()
            one.wait_for_messages(count, seconds=100)
            assert one.messages() == texts
            assert one.told() == ["open"]
            assert proxy.fates["dribble the answer"] > count / 5000

    def test_emoji_that_are_split_at_every_byte(self, tab):
        """Each back channel brings one message; it comes in two pieces, the second of which is cut once."""
        body = chunk(message(1, EMOJI))
        whole = [chunk(message(number, EMOJI)) for number in range(1, len(body))]

        def split(at, data, *, cut):
            def answer(_request, peer):
                peer.send(head("200 OK", "Transfer-Encoding: chunked") + chunked(data[:at]))
                peer.pause(0.002)  # so that it is given to the script apart from the rest
                if cut:
                    peer.cut()
                else:
                    peer.send(chunked(data[at:]) + b"0\r\n\r\n")

            return answer

        back = [split(at, data, cut=False) for at, data in enumerate(whole, 1)]
        # What was not received whole was not received, and comes again.
        back[10:10] = [split(len(whole[10]) - 9, whole[10], cut=True)]
        with HostileSite(back=[*back, silence]) as server:
            one = tab(server.listening)
            one.listen("token")
            one.wait_for_messages(len(whole))
            assert one.messages() == [EMOJI] * len(whole)
            aids = [int(request.query["AID"]) for request in server.of("back")]
            assert aids[:11] == [*range(11)]
            assert aids[11:] == [*range(10, len(whole) + 1)]

    def test_a_server_that_is_restarted_and_has_kept_its_sessions(self, site, tab):
        one = tab(site.url("listen.html"))
        one.listen(site.server.create_channel("me"))
        one.wait_for(["open"])
        site.server.kill()
        site.server.send_message("me", "sent while it was away")
        site.server.start()
        one.wait_for_messages(1)
        assert (one.messages(), one.told()) == (["sent while it was away"], ["open"])

    def test_the_next_process_goes_on_where_a_state_file_is(self, serve, tab, tmp_path):
        """All that it has of the one before is the file, and the port."""
        site = serve(state=tmp_path / "state")
        one = tab(site.url("listen.html"))
        one.listen(site.server.create_channel("me"))
        one.wait_for(["open"])
        site.server.send_message("me", "by the first")
        one.wait_for_messages(1)
        site.server.kill()
        following = serve(state=tmp_path / "state", port=site.server.port)
        following.server.send_message("me", "by the second")
        one.wait_for_messages(2)
        assert (one.messages(), one.told()) == (["by the first", "by the second"], ["open"])
        assert not any("/talkgadget/d?" in request for request in following.requests)

    def test_a_server_that_is_restarted_and_has_forgotten_them(self, site, tab):
        """As the Channel API's clients did, the script opens a new session itself, and says nothing."""
        one = tab(site.url("listen.html"))
        one.listen(site.server.create_channel("me"))
        one.wait_for(["open"])
        site.server.kill(keep_sessions=False)
        site.server.start()
        until(lambda: any(session.connected for session in site.server.service.sessions))
        site.server.send_message("me", "to the new one")
        one.wait_for_messages(1)
        assert (one.messages(), one.told()) == (["to the new one"], ["open"])


@pytest.mark.parametrize("more", ["", IGNORING], ids=["asked not to", "buffering"])
def test_messages_come_one_by_one_through_a_proxy_that_holds_responses_back(serve, nginx, tab, more):
    site = serve(allow_origins="*")  # nginx when new does not tell the host that the page has asked
    one = tab(f"{nginx(site.server.url, more)}/pages/listen.html", clock=True)
    one.listen(site.server.create_channel("me"))
    one.wait_for(["open"])
    site.server.send_message("me", text_of(1))
    if more:
        # Nothing comes, until the silence has told of the proxy: its minute passes faster here.
        until(
            lambda: any("CI=1" in request for request in site.requests) or one.page.clock.fast_forward(20_000)
        )
    one.wait_for_messages(1)
    for number in range(2, 8):  # each when the one before has come
        site.server.send_message("me", text_of(number))
        one.wait_for_messages(number)
    assert one.messages() == [text_of(number) for number in range(1, 8)]


class TestAnswers:
    """What a server, or what stands before it, may say instead."""

    @pytest.fixture
    def listen(self, tab):
        def listen(server):
            one = tab(server.listening, clock=True)
            one.listen("token")
            return one

        return listen

    HTML = ok(b"<html><body>Please log in</body></html>", "Content-Type: text/html")

    @pytest.mark.parametrize(
        ("answers", "error"),
        [
            ({"page": reply(b"", "403 Forbidden")}, [403, "Forbidden"]),
            ({"opening": reply(b"", "404 Not Found")}, [404, "Not Found"]),
            ({"page": reply(b"", "401 Invalid+token.")}, [401, "Invalid+token."]),
            ({"opening": reply(b"", "401 Token+timed+out.")}, [401, "Token+timed+out."]),
            ({"opening": reply(b"", "401 RID_OUTSIDE_WINDOW")}, [401, "RID_OUTSIDE_WINDOW"]),
        ],
    )
    def test_refusals_are_told_with_their_status_and_words(self, listen, answers, error):
        with HostileSite(**answers) as server:
            one = listen(server)
            one.wait_for([["error", *error], "close"])
            time.sleep(0.1)  # for what must not come
            assert all(len(server.of(step)) <= 1 for step in ("page", "opening"))

    @pytest.mark.parametrize("step", ["page", "opening"])
    def test_html_with_200_is_an_error_and_then_the_end(self, listen, step):
        with HostileSite(**{step: self.HTML}) as server:
            one = listen(server)
            until(lambda: len(one.told()) == 2)
            (word, code, description), end = one.told()
            assert (word, code, end) == ("error", 200, "close")
            assert description

    @pytest.mark.parametrize(
        "body",
        [
            b"x\n[[1]]\n",
            b"99999999999999\n[",
            chunk(message(1, "😀"))[:-8] + b"\xff\xff\xff\xff\n]]]]",
            b"3\n[]]",
        ],
        ids=["no length", "too long", "no UTF-8", "no literal"],
    )
    def test_a_body_that_is_corrupt_for_ever_ends_it_after_an_error(self, listen, body):
        with HostileSite(back=ok(body)) as server:
            one = listen(server)
            one.hasten(lambda: one.told()[-1:] == ["close"])
            assert [word[0] if isinstance(word, list) else word for word in one.told()] == [
                "open",
                "error",
                "close",
            ]

    @pytest.mark.parametrize(
        "back", [cut, ok(chunk(message(1, "a"))[:-3]), ok(b"")], ids=["cut", "short", "empty"]
    )
    def test_a_body_that_broke_off_is_asked_for_again(self, listen, back):
        with HostileSite(back=[back, streams(chunk(message(1, "a")))]) as server:
            one = listen(server)
            one.hasten(one.messages)
            assert (one.messages(), one.told()) == (["a"], ["open"])

    @pytest.mark.parametrize(
        ("step", "status"),
        [
            ("page", "500 Internal Server Error"),
            ("opening", "503 Service Unavailable"),
            ("back", "429 Too Many Requests"),
            ("back", "502 Bad Gateway"),
        ],
    )
    def test_a_server_in_trouble_is_asked_again_after_waits_that_grow(self, listen, step, status):
        with HostileSite(**{step: reply(b"", status)}) as server:
            one = listen(server)
            one.hasten(lambda: len(server.of(step)) == 4)
            time.sleep(0.1)  # none comes while the page's clock goes as all do
            assert len(server.of(step)) == 4
            assert "close" not in one.told()

    @pytest.mark.parametrize("step", ["page", "opening", "back"])
    def test_a_server_that_never_answers_is_waited_for(self, listen, step):
        with HostileSite(**{step: hang}) as server:
            one = listen(server)
            until(lambda: server.of(step))
            time.sleep(0.1)
            assert len(server.of(step)) == 1
            one.close()
            until(lambda: one.told()[-1:] == ["close"])

    def test_back_channels_that_end_at_once_for_ever_are_no_hot_loop(self, listen):
        with HostileSite(back=ok(b"")) as server:
            one = listen(server)
            until(lambda: len(server.of("back")) >= 4)
            time.sleep(0.3)
            assert len(server.of("back")) < 7
            assert one.told() == ["open"]
