"""Tokens from callables, plain and awaited, and URLs from subclasses."""

import asyncio
import contextvars

import hostile
import pytest

from gaechannel import aio
from gaechannel.errors import ChannelError, InvalidToken, TokenExpired

EXPIRED = hostile.reply(b"", "401 Token+timed+out.")


def tokens_of(server):
    return [request.query["token"] for request in server.requests]


@pytest.fixture
def talk():
    """A server whose back channel has a message."""
    with hostile.TalkServer(back=hostile.streams(hostile.messages(1, "a", "b", "c"))) as server:
        yield server


def test_the_token_may_come_from_a_callable(run, talk):
    async def main():
        async with aio.Client(lambda: "t1", base_url=talk.base_url) as client:
            assert await anext(client.messages()) == "a"
            assert client.token == "t1"

    run(main())
    assert set(tokens_of(talk)) == {"t1"}


def test_the_token_may_be_awaited(run_anywhere, talk):
    async def token():
        await asyncio.sleep(0.01)
        return "t1"

    async def main():
        async with aio.Client(token, base_url=talk.base_url) as client:
            assert await anext(client.messages()) == "a"

    run_anywhere(main())
    assert set(tokens_of(talk)) == {"t1"}


def test_an_expired_token_is_replaced(run):
    asked = []

    async def token():
        asked.append(None)
        await asyncio.sleep(0)
        return f"t{len(asked)}"

    async def main():
        back = [EXPIRED, hostile.streams(hostile.messages(1, "a"))]
        with hostile.TalkServer(back=back) as server:
            async with aio.Client(token, base_url=server.base_url) as client:
                assert await anext(client.messages()) == "a"
            assert tokens_of(server)[-1] == "t2"

    run(main())
    assert len(asked) == 2


def test_an_expired_token_without_a_callable_is_an_error(run):
    async def main():
        with hostile.TalkServer(back=EXPIRED) as server:
            async with aio.Client("t1", base_url=server.base_url) as client:
                with pytest.raises(TokenExpired):
                    await anext(client.messages())

    run(main())


class OwnError(Exception):
    pass


@pytest.mark.parametrize("awaited", [False, True])
def test_what_a_callable_raises_is_raised_and_it_is_asked_again(run, talk, awaited):
    asked = []

    def token():
        asked.append(None)
        if len(asked) <= 2:
            raise OwnError
        return "t1"

    async def later():
        await asyncio.sleep(0.001)
        return token()

    async def main():
        async with aio.Client(later if awaited else token, base_url=talk.base_url) as client:
            iterator = client.messages()
            for _ in range(2):
                with pytest.raises(OwnError):
                    await anext(iterator)
            assert await anext(iterator) == "a"

    run(main())
    assert len(asked) == 3


def test_a_callable_that_fails_is_asked_only_when_somebody_wants_to_go_on(run, talk):
    asked = []

    async def token():
        asked.append(None)
        raise OwnError

    async def main():
        async with aio.Client(token, base_url=talk.base_url) as client:
            with pytest.raises(OwnError):
                await anext(client.messages())
            for _ in range(50):
                await asyncio.sleep(0)
            assert len(asked) == 1

    run(main())


def test_each_waiting_task_hears_of_a_callable_that_fails(run, talk):
    async def token():
        await asyncio.sleep(0.01)
        raise OwnError

    async def main():
        async with aio.Client(token, base_url=talk.base_url) as client:
            waits = [asyncio.ensure_future(client.messages().__anext__()) for _ in range(3)]
            errors = await asyncio.gather(*waits, return_exceptions=True)
            assert [type(error) for error in errors] == [OwnError] * 3

    run(main())


@pytest.mark.parametrize("token", [7, None, b"", b"\xff", ""])
def test_a_callable_must_return_a_str(run, talk, token):
    async def later():
        return token

    async def main():
        for source in (lambda: token, later):
            async with aio.Client(source, base_url=talk.base_url) as client:
                with pytest.raises((TypeError, ValueError)):
                    await anext(client.messages())

    run(main())
    assert talk.requests == []


def test_cancelling_who_waits_does_not_cancel_the_token(run, talk):
    async def main():
        given = asyncio.get_running_loop().create_future()
        asked = []

        async def token():
            asked.append(None)
            return await given

        async with aio.Client(token, base_url=talk.base_url) as client:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(client.messages()), 0.01)
            given.set_result("t1")
            assert await anext(client.messages()) == "a"
        assert len(asked) == 1

    run(main())


def test_a_cancelled_token_is_a_channel_error(run, talk):
    async def token():
        raise asyncio.CancelledError

    async def main():
        async with aio.Client(token, base_url=talk.base_url) as client:
            with pytest.raises(ChannelError):
                await anext(client.messages())

    run(main())


def test_close_cancels_a_token_that_is_awaited(run, talk, until):
    cancelled = []

    async def token():
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            cancelled.append(None)
            raise

    async def main():
        client = aio.Client(token, base_url=talk.base_url)
        task = asyncio.create_task(end_of(client.messages()))
        await until(lambda: client._token_task is not None)
        await client.close()
        assert await task
        await asyncio.sleep(0)
        assert cancelled

    run(main())
    assert talk.requests == []


async def end_of(iterator):
    async for _message in iterator:
        return False
    return True


def test_close_does_not_raise_what_a_token_has_raised(run, talk):
    async def token():
        raise OwnError

    async def main():
        client = aio.Client(token, base_url=talk.base_url)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(client.messages()), 0)
        await asyncio.sleep(0.01)
        await client.close()

    run(main())


def test_a_forged_token_is_refused_by_the_server(run, server):
    async def main():
        async with aio.Client("nonsense", base_url=server.base_url) as client:
            with pytest.raises(InvalidToken):
                await anext(client.messages())

    run(main())


# ---- Subclasses ----


class Own(aio.Client):
    def _get_bind_url(self, **kwargs):
        return super()._get_bind_url(**kwargs) + "&mine=1"


def test_a_subclass_that_makes_urls_is_obeyed(run, talk):
    async def main():
        async with Own("t1", base_url=talk.base_url) as client:
            assert await anext(client.messages()) == "a"

    run(main())
    assert {request.query.get("mine") for request in talk.requests if request.step != "page"} == {"1"}


def test_what_a_subclass_raises_is_raised_and_it_is_asked_again(run, talk):
    class Failing(aio.Client):
        failures = 2

        def _get_bind_url(self, **kwargs):
            if self.failures:
                self.failures -= 1
                raise OwnError
            return super()._get_bind_url(**kwargs)

    async def main():
        async with Failing("t1", base_url=talk.base_url) as client:
            iterator = client.messages()
            for _ in range(2):
                with pytest.raises(OwnError):
                    await anext(iterator)
            assert await anext(iterator) == "a"

    run(main())


@pytest.mark.parametrize("awaited", [False, True])
def test_a_merged_channel_whose_token_was_not_to_be_had_is_asked_again(run, talk, awaited):
    asked = []

    def token():
        asked.append(None)
        if len(asked) <= 2:
            raise LookupError("no token now")
        return "t3"

    async def later():
        await asyncio.sleep(0)
        return token()

    async def main():
        failing = aio.Client(later if awaited else token, base_url=talk.base_url)
        async with failing, aio.Client("other", base_url=talk.base_url) as other:
            merged = aio.merge([failing, other])
            got, errors = [], []
            while len(got) < 6:
                try:
                    got.append(await anext(merged))
                except LookupError as error:
                    errors.append(error)
            assert [error.channel for error in errors] == [failing] * 2
            assert [text for client, text in got if client is failing] == ["a", "b", "c"]
            assert [text for client, text in got if client is other] == ["a", "b", "c"]

    run(main())
    assert len(asked) == 3


def test_a_merged_channel_that_is_closed_before_its_exception_was_raised_leaves(run, talk):
    async def main():
        refused = asyncio.Event()

        async def token():
            await refused.wait()
            raise LookupError("no token now")

        failing, other = aio.Client(token, base_url=talk.base_url), aio.Client("t", base_url=talk.base_url)
        async with failing, other:
            merged = aio.merge([failing, other])
            assert await anext(merged) == (other, "a")
            refused.set()
            for _ in range(5):
                await asyncio.sleep(0)
        blamed = []
        while True:
            try:
                assert (await anext(merged))[0] is other
            except LookupError as error:
                blamed.append(error.channel)
            except StopAsyncIteration:
                break
        assert blamed == [failing]

    run(main())


EAGER_NAMES = ("_wait_for_token", "_wait_for_answers")


class Done(asyncio.Future):
    """What an eager task's end looks like; event loops name their tasks."""

    def set_name(self, name):
        pass


def eager(loop, coroutine, **options):
    """A channel's own tasks begin at once, as asyncio.eager_task_factory has it (CPython 3.12)."""
    if coroutine.__name__ not in EAGER_NAMES:
        return asyncio.Task(coroutine, loop=loop, **options)
    done = Done(loop=loop)
    with pytest.raises(StopIteration):  # what these tests await is there at once
        contextvars.copy_context().run(coroutine.send, None)
    done.set_result(None)
    return done


def test_a_token_that_an_eager_task_has_at_once_is_asked_for_again(run):
    asked = []

    async def token():
        asked.append(None)
        if len(asked) == 2:
            raise RuntimeError("no token today")
        return f"t{len(asked)}"

    async def main():
        asyncio.get_running_loop().set_task_factory(eager)
        back = [EXPIRED, hostile.streams(hostile.messages(1, "a"))]
        with hostile.TalkServer(back=back) as server:
            async with aio.Client(token, base_url=server.base_url) as client:
                with pytest.raises(RuntimeError, match="no token today"):
                    await client.recv()
                assert await client.recv() == "a"
                assert client.token == "t3"

    run(main())


def test_an_answer_that_an_eager_task_has_at_once_is_asked_for_again(run):
    numbers = []

    async def prepare(channel, session):
        numbers.append(session.number)
        if len(numbers) == 2:
            raise RuntimeError("not today")

    async def main():
        asyncio.get_running_loop().set_task_factory(eager)
        back = [hostile.reply(b"", "400 Unknown SID"), hostile.streams(hostile.messages(1, "a"))]
        with hostile.TalkServer(back=back) as server:
            async with aio.Client("t", base_url=server.base_url, on_session=prepare) as client:
                with pytest.raises(RuntimeError, match="not today"):
                    await client.recv()
                assert await client.recv() == "a"

    run(main())
    assert numbers == [1, 2, 2]
