"""What requests are promised, whatever keeps what they ask of: memory, a file, a Redis that nodes share."""

import asyncio

import pytest
from back_by_hand import Back
from redis_server import RedisServer, skip_without_redis
from wire_by_hand import CONNECT, Clock

from gaechannel.server import ChannelService, InvalidMessageError, Refusal, SqliteStore
from gaechannel.server.core.sessions import Opening


class Asked(Back):
    """A back channel that takes what there is when it is asked."""

    def __init__(self, service, session):
        super().__init__(service.monotonic(), 1e9)
        self.service, self.session = service, session
        self.cut = asyncio.Event()

    def abort(self):
        super().abort()
        self.cut.set()

    async def texts(self, count):
        """The next messages, with the ids of their arrays."""
        found = []
        async with asyncio.timeout(20):
            while len(found) < count:
                chunk, _ = self.session.take(self)
                lines = [line for line in chunk.split(b"\n") if line.startswith(b"[")]
                found += [
                    (int(line[2:].split(b",")[0]), line.split(b'"')[7].decode())
                    for line in lines
                    if b'"ae"' in line
                ]
                await asyncio.sleep(0.002)
        return found


@pytest.fixture(params=["memory", "file", "redis"])
def scene(request, tmp_path):
    """Returns a function that runs a coroutine function, given one that makes a node after the other.

    Where one process has it all, there is one node, and whoever asks for another gets the same.
    """
    redis = RedisServer(tmp_path / "redis")
    if request.param == "redis":
        skip_without_redis()
        redis.start()

    def run(play):
        async def running():
            made = []

            async def node(**options):
                if request.param == "redis":
                    from gaechannel.server.core.shared_service import SharedChannelService

                    service = SharedChannelService(redis.url, **options)
                elif made:
                    return made[0]
                else:
                    store = SqliteStore(tmp_path / "state") if request.param == "file" else None
                    service = ChannelService(store=store, **options)
                await service.take_up()
                made.append(service)
                return service

            try:
                await play(node)
            finally:
                for service in made:
                    await service.leave_to_others()
                    service.store.close(told=True)

        asyncio.run(running())

    yield run
    if request.param == "redis":
        redis.kill()


async def listen(service, token, **params):
    session, _ = await service.begin(Opening({"clid": "CLID", "token": token, **params}, [CONNECT]))
    return {"SID": session.sid, "token": token, "clid": "CLID"}


async def join(service, query, aid=-1):
    session = await service.seek(query)
    back = Asked(service, session)
    await service.join(session, back, aid)
    return back


def test_messages_arrive_in_order_whatever_node_is_asked(scene):
    async def play(node):
        one, two = await node(), await node()
        query = await listen(one, await two.create("me"))
        back = await join(two, query)
        for number in range(5):
            assert await (one, two)[number % 2].send("me", str(number))
        assert [text for _, text in await back.texts(5)] == ["0", "1", "2", "3", "4"]
        assert not await one.send("nobody", "hi")

    scene(play)


def test_a_message_goes_to_all_sessions_of_its_client(scene):
    async def play(node):
        one, two = await node(), await node()
        token = await one.create("me")
        backs = [await join(service, await listen(service, token)) for service in (one, two, two)]
        other = await join(one, await listen(one, await one.create("you")))
        await two.send("me", "mine")
        await two.send("you", "yours")
        for back in backs:
            assert [text for _, text in await back.texts(1)] == ["mine"]
        assert [text for _, text in await other.texts(1)] == ["yours"]

    scene(play)


def test_what_is_not_acknowledged_is_given_to_the_next_back_channel_at_whatever_node(scene):
    async def play(node):
        one, two = await node(), await node()
        query = await listen(one, await one.create("me"))
        back = await join(one, query)
        for text in "abc":
            await one.send("me", text)
        (aid, _), *_ = await back.texts(3)
        back = await join(two, query, aid)
        assert [text for _, text in await back.texts(2)] == ["b", "c"]

    scene(play)


def test_a_second_back_channel_fences_the_first(scene):
    async def play(node):
        one, two = await node(), await node()
        query = await listen(one, await one.create("me"))
        first = await join(one, query)
        second = await join(two, query)
        await asyncio.wait_for(first.cut.wait(), 20)
        await one.send("me", "hi")
        assert [text for _, text in await second.texts(1)] == ["hi"]
        assert first.session.take(first) == (b"", True)

    scene(play)


def test_maps_are_taken_once_at_whatever_node(scene):
    async def play(node):
        one, two = await node(), await node()
        token = await one.create("me")
        session, _ = await one.begin(Opening({"clid": "CLID", "token": token}, []))
        query = {"SID": session.sid, "token": token, "clid": "CLID"}
        for service in (one, two, one):
            session = await service.seek(query)
            await service.receive(session, -1, 0, [CONNECT], 5, again=service is two)
        back = await join(two, query)
        await two.send("me", "once")
        await two.send("me", "twice")
        assert [text for _, text in await back.texts(2)] == ["once", "twice"]

    scene(play)


def test_what_is_sent_before_anybody_listens_is_held(scene):
    async def play(node):
        one, two = await node(hold=2), await node(hold=2)
        token = await one.create("me")
        for text in ("a", "b", "\u20ac"):
            assert await two.send("me", text)
        back = await join(one, await listen(two, token))
        await one.send("me", "d")
        texts = [text for _, text in await back.texts(3)]
        assert texts == ["b", "\\u20ac", "d"]

    scene(play)


def test_an_ended_session_is_unknown_everywhere_and_so_is_one_that_never_was(scene):
    async def play(node):
        one, two = await node(), await node()
        query = await listen(one, await one.create("me"))
        await two.finish(await two.seek(query), "terminated")
        for service in (one, two):
            for sid in (query["SID"], "never"):
                with pytest.raises(Refusal, match="Unknown SID"):
                    await service.seek({**query, "SID": sid})

    scene(play)


def test_a_session_is_its_tokens_alone(scene):
    async def play(node):
        one, two = await node(), await node()
        query = await listen(one, await one.create("me"))
        other = await two.create("you")
        with pytest.raises(Refusal, match="Unknown SID"):
            await two.seek({**query, "token": other})

    scene(play)


def test_presence_hears_of_the_first_who_comes_and_the_last_who_goes(scene):
    async def play(node):
        seen = []
        told = {
            "on_connected": lambda who: seen.append(f"+{who}"),
            "on_disconnected": lambda who: seen.append(f"-{who}"),
        }
        one, two = await node(**told), await node(**told)
        token = await one.create("me")
        first, second = await listen(one, token), await listen(two, token)
        await two.finish(await two.seek(first), "terminated")
        assert seen == ["+me"]
        await one.finish(await one.seek(second), "terminated")
        assert seen == ["+me", "-me"]

    scene(play)


def test_who_is_not_heard_of_any_more_is_gone(scene):
    async def play(node):
        seen = []
        one = await node(session_timeout=2.0, keepalive=5, on_disconnected=seen.append)
        query = await listen(one, await one.create("me"))
        async with asyncio.timeout(20):
            while not seen:
                one.sweep()
                await asyncio.sleep(0.02)
        assert seen == ["me"]
        with pytest.raises(Refusal, match="Unknown SID"):
            await one.seek(query)

    scene(play)


def test_who_has_a_back_channel_open_is_there_however_long(scene):
    async def play(node):
        seen = []
        one = await node(session_timeout=1.5, keepalive=5, on_disconnected=seen.append)
        query = await listen(one, await one.create("me"))
        back = await join(one, query)
        began = one.monotonic()
        while one.monotonic() - began < 3:
            for _ in one.sweeping():  # as the application does it
                await asyncio.sleep(0)
            await asyncio.sleep(0.05)
        assert await one.send("me", "hi")
        assert [text for _, text in await back.texts(1)] == ["hi"]
        assert seen == []

    scene(play)


def test_many_messages_are_sent_in_order_or_none_and_once_under_one_key(scene):
    async def play(node):
        one, two = await node(), await node()
        query = await listen(one, await one.create("me"))
        back = await join(one, query)
        messages = [("me", "0"), ("nobody", "x"), *(("me", str(number)) for number in range(1, 50))]
        assert await one.send_many(messages, "a key") == [1]
        if two is not one:  # a process knows by itself what it has answered
            await two.send_many(messages, "a key")
        with pytest.raises(InvalidMessageError):
            await one.send_many([("me", "never"), ("me", 7)])
        assert await two.send_many([("me", "last")]) == []
        assert [text for _, text in await back.texts(51)] == [*map(str, range(50)), "last"]

    scene(play)


def test_many_messages_that_are_refused_half_way_come_again_in_order(scene):
    async def play(node):
        one, _ = await node(), await node()
        if not hasattr(one, "link"):
            return  # what is in the process is refused as a whole
        query = await listen(one, await one.create("me"))
        back = await join(one, query)
        ask, asked = one.link.ask, []

        async def full(script, *words):
            """As a Redis whose memory was full for a moment."""
            if any(str(word).startswith("a key") for word in words):
                asked.append(script)
            if asked[1:] == [script]:
                raise Refusal(503, "The store cannot be reached")
            return await ask(script, *words)

        one.link.ask = full
        messages = [("me", str(number)) for number in range(600)]
        with pytest.raises(Refusal):
            await one.send_many(messages, "a key")
        one.link.ask = ask
        assert await one.send_many(messages, "a key") == []
        assert [text for _, text in await back.texts(600)] == [text for _, text in messages]

    scene(play)


def test_what_comes_while_a_back_channel_opens_is_not_late(scene):
    async def play(node):
        one, two = await node(), await node()
        query = await listen(one, await one.create("me"))
        aid = -1
        for number in range(30):
            back, _ = await asyncio.gather(join(two, query, aid), one.send("me", str(number)))
            ((aid, text),) = await back.texts(1)
            assert text == str(number)

    scene(play)


def test_what_has_no_utf_8_is_unknown_and_keeps_nobody_from_asking(scene):
    async def play(node):
        one = await node()
        token = await one.create("me")
        with pytest.raises(Refusal, match="400"):
            await asyncio.wait_for(one.seek({"SID": "\udcff", "token": token, "clid": "CLID"}), 20)
        assert await asyncio.wait_for(one.send_many([("me", "hi")], "\udcff"), 20) == []

    scene(play)


def test_maps_whose_sender_goes_meanwhile_are_handed_on(scene):
    async def play(node):
        come = asyncio.Event()
        one = await node(on_connected=lambda _client_id: come.set())
        token = await one.create("me")
        session, _ = await one.begin(Opening({"clid": "CLID", "token": token}))
        receiving = asyncio.create_task(one.receive(session, -1, 0, [CONNECT]))
        await asyncio.sleep(0)  # asked, and not answered yet where that takes time
        receiving.cancel()
        await asyncio.wait_for(come.wait(), 20)

    scene(play)


def test_maps_that_redis_is_asked_about_twice_are_taken_once_and_not_lost(scene):
    async def play(node):
        come = []
        one = await node(on_connected=come.append)
        link = getattr(one, "link", None)
        if link is None:
            return  # nothing is asked twice
        token = await one.create("me")
        session, _ = await one.begin(Opening({"clid": "CLID", "token": token}))
        run, asked = link._run, []

        async def twice(some):
            asked.append(await run(some))  # the answer is lost with the connection
            return await run(some)

        link._run = twice
        await one.receive(session, -1, 0, [CONNECT])
        assert asked
        assert come == ["me"]
        await one.receive(session, -1, 0, [CONNECT])
        assert come == ["me"]

    scene(play)


def test_back_channels_that_were_fenced_or_ended_are_counted_no_more(scene):
    async def play(node):
        one, two = await node(), await node()
        query = await listen(one, await one.create("me"))
        back = await join(one, query)
        last = await join(two, query)
        if two is not one:
            await asyncio.wait_for(back.cut.wait(), 20)
            assert one.traffic.back_channels == 0
        assert two.traffic.back_channels == 1
        await two.finish(await two.seek(query), "terminated")
        with two.lock:
            last.session.detach(last)
        assert two.traffic.back_channels == 0

    scene(play)


def test_a_session_that_has_been_stopped_is_counted_no_more(scene):
    async def play(node):
        one = await node(max_unacknowledged=1000)
        back = await join(one, await listen(one, await one.create("me")))
        for _ in range(3):
            await one.send("me", "x" * 500)
        async with asyncio.timeout(20):
            while not back.session.ended:
                back.session.take(back)
                one.written(back.session)
                await asyncio.sleep(0.01)
        assert one.channels.sessions_of("me") == 0

    scene(play)


def test_what_a_file_cannot_have_is_refused_and_nobody_waits_for_ever(tmp_path):
    async def run():
        store = SqliteStore(tmp_path / "state")
        store.open()
        store.take_maps("SID", 1 << 70, 0)
        for _ in range(2):
            with pytest.raises(Refusal, match="503"):
                await asyncio.wait_for(store.commit(), 20)
        store.close(told=True)

    asyncio.run(run())


def test_what_is_told_to_a_file_that_is_closed_is_refused_and_nobody_waits_for_ever(tmp_path):
    async def run():
        store = SqliteStore(tmp_path / "state")
        store.open()
        store.close(told=True)
        store.create("me", 1.0)
        with pytest.raises(Refusal, match="503"):
            await asyncio.wait_for(store.commit(), 20)

    asyncio.run(run())


@pytest.mark.parametrize("how", ["asked twice", "cancelled", "timed out"])
def test_the_end_of_a_clients_last_session_is_told_once_whatever_is_asked_twice(scene, how):
    async def play(node):
        gone = []
        one = await node(on_disconnected=gone.append, session_timeout=60 if how != "timed out" else 2.0)
        query = await listen(one, await one.create("me"))
        session = await one.seek(query)
        link = getattr(one, "link", None)
        if link is not None and how != "cancelled":
            run = link._run

            async def twice(some):
                await run(some)  # the answer is lost with the connection
                return await run(some)

            link._run = twice
        if how != "timed out":
            finishing = asyncio.create_task(one.finish(session, "terminated"))
            await asyncio.sleep(0)
            if how == "cancelled":
                finishing.cancel()
        async with asyncio.timeout(20):
            while not gone:
                one.sweep()
                await asyncio.sleep(0.05)
        assert gone == ["me"]

    scene(play)


def test_a_back_channel_whose_client_goes_before_it_is_open_is_not_taken_for_open(scene):
    async def play(node):
        one = await node()
        query = await listen(one, await one.create("me"))
        session = await one.seek(query)
        back = Asked(one, session)
        joining = asyncio.create_task(one.join(session, back, -1))
        await asyncio.sleep(0)
        joining.cancel()
        with one.lock:  # as the request's handler does where it had been opened
            session.detach(back)
        async with asyncio.timeout(20):
            while (await one.receive(await one.seek(query), -1, None, []))[0]:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        await one.send("me", "hi")
        assert [text for _, text in await (await join(one, query)).texts(1)] == ["hi"]

    scene(play)


def test_what_others_say_on_a_nodes_channel_keeps_it_from_hearing_nothing(scene):
    async def play(node):
        one = await node()
        back = await join(one, await listen(one, await one.create("me")))
        if hasattr(one, "link"):
            for words in ("odd", f"arrays\n{back.session.sid} x"):
                await one.link.ask("return redis.call('PUBLISH', ARGV[1], ARGV[2])", one.link.channel, words)
        await one.send("me", "hi")
        assert [text for _, text in await back.texts(1)] == ["hi"]

    scene(play)


def test_sessions_are_limited_over_all_nodes(scene):
    async def play(node):
        limits = {"max_sessions": 3, "max_sessions_per_token": 2}
        one, two = await node(**limits), await node(**limits)
        token = await one.create("me")
        query, other = await listen(one, token), await listen(two, token)
        for service in (one, two):
            with pytest.raises(Refusal, match="429 Too many sessions of this token"):
                await listen(service, token)
        await listen(two, await two.create("you"))
        with pytest.raises(Refusal, match="429 Too many sessions"):
            await listen(one, await one.create("third"))
        await two.finish(await two.seek(query), "terminated")
        await listen(one, token)
        # One that replaces another takes its place, and is as many as before.
        await listen(two, token, OSID=other["SID"])
        with pytest.raises(Refusal, match="Unknown SID"):
            await one.seek(other)

    scene(play)


def test_who_is_there_is_told_by_any_node(scene):
    async def play(node):
        one, two = await node(), await node()
        told = []
        two.presence.watchers.add(lambda what, client_id: told.append((what, client_id)))
        queries = [
            await listen(service, await one.create(name)) for service, name in ((one, "a"), (two, "b"))
        ]
        assert sorted(await one.present()) == sorted(await two.present()) == ["a", "b"]
        await one.finish(await one.seek(queries[1]), "terminated")
        assert await two.present() == ["a"]
        async with asyncio.timeout(20):
            while len(told) < 3:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert told == [("connected", "a"), ("connected", "b"), ("disconnected", "b")]

    scene(play)


def commands(url):
    """How many commands a Redis has run, those of its scripts too, and not those of who asks."""
    redis = pytest.importorskip("redis").Redis.from_url(url)
    stats = redis.info("commandstats")
    redis.close()
    return sum(one["calls"] for name, one in stats.items() if name.split("|")[0] not in OURS)


OURS = {"cmdstat_info", "cmdstat_client", "cmdstat_hello", "cmdstat_ping", "cmdstat_command"}


def test_who_is_silent_costs_redis_nothing_and_keeps_hearing(tmp_path):
    skip_without_redis()
    from gaechannel.server.core.shared_service import SharedChannelService

    redis = RedisServer(tmp_path / "redis").start()

    async def idle(count):
        clock = Clock()
        service = SharedChannelService(redis.url, monotonic=clock, session_timeout=600.0)
        await service.take_up()
        token = await service.create(f"all {count}")
        backs = [await join(service, await listen(service, token), 1) for _ in range(count)]
        service.sweep()  # which renews the leases, now and not again for 150 s
        await service.link.ask("return 1")
        await asyncio.sleep(0.05)
        before = commands(redis.url)
        for _ in range(4):
            clock.now += 26
            service._next_expiry = clock.now + 1  # it looks for who has gone, however many there are
            service.sweep()
            for back in backs:
                assert back.woken
                # Under an id that its client has: AID 1 stays true.
                assert back.session.take(back) == (b'16\n[[1,["noop"]]\n]\n', False)
        asked = commands(redis.url) - before
        await service.send(f"all {count}", "hi")
        for back in backs:
            assert await back.texts(1) == [(2, "hi")]
        await service.leave_to_others()
        return asked

    try:
        assert asyncio.run(idle(10)) == asyncio.run(idle(200)) == 0
    finally:
        redis.kill()
