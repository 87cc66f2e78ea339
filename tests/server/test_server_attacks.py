"""Clients receive while strangers attack: none misses a message or waits for long, nobody writes a traceback.

GAECHANNEL_ATTACKS says how many clients there are: 1,000 take each attack alone, and all of them at once, and
may wait a second for a message, beyond what they wait on this machine while nobody attacks. Without it some
clients take all at once, on a machine that may be busy.
"""

import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from attacks import ATTACKS

from gaechannel.aio import Client

SUPPORT = Path(__file__).resolve().parents[1] / "support"
LONG = int(os.environ.get("GAECHANNEL_ATTACKS", "0"))
CLIENTS = LONG or 40
SECONDS = 15 if LONG else 4
#: The longest that a message may take, in seconds. On two cores that others use, too, a second says nothing.
PATIENCE = 1.0 if LONG else 10.0
#: Seconds between two messages to a client, so that sending takes a tenth of a core.
PAUSE = max(0.1, CLIENTS / 2000)


#: The longest that a message has taken while nobody attacked.
by_itself = [0.0]


class Receiver:
    """A client, and what it has received."""

    def __init__(self):
        self.numbers = []
        self.worst = 0.0
        self.sessions = 0

    async def run(self, token, base_url):
        async with Client(token, base_url=base_url) as client:
            async for message in client.messages():
                number, sent, *last = message.split()
                self.numbers.append(int(number))
                self.worst = max(self.worst, time.time() - float(sent))
                if last:
                    break
            self.sessions = client.stats.sessions


async def until(condition):
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - it is many events that it waits for
            await asyncio.sleep(0.02)


async def attacked(names):
    """Let clients receive during attacks; returns them, what the server says, and what it wrote on stderr."""
    server = await asyncio.create_subprocess_exec(
        sys.executable,
        str(SUPPORT / "attacked_server.py"),
        str(CLIENTS),
        str(PAUSE),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        limit=1 << 20,
    )
    errors = asyncio.create_task(server.stderr.read())
    try:
        said = json.loads(await server.stdout.readline())
        base_url = f"http://127.0.0.1:{said['port']}/talkgadget"
        receivers = [Receiver() for _ in said["tokens"]]
        async with asyncio.TaskGroup() as tasks:
            for receiver, token in zip(receivers, said["tokens"], strict=True):
                tasks.create_task(receiver.run(token, base_url))
            # The wait of the first message is for all to have connected.
            await until(lambda: all(len(receiver.numbers) > 2 for receiver in receivers))
            for receiver in receivers:
                receiver.worst = 0.0
            attack = await asyncio.create_subprocess_exec(
                sys.executable,
                str(SUPPORT / "attacks.py"),
                str(said["port"]),
                said["attacker"],
                str(SECONDS),
                str(CLIENTS),
                *names,
            )
            async with asyncio.timeout(SECONDS + 60):
                assert await attack.wait() == 0
            server.stdin.write(b"\n")
            told = json.loads(await server.stdout.readline())
            await until(lambda: all(receiver.sessions for receiver in receivers))
        server.stdin.write(b"\n")
        await server.wait()
    finally:
        if server.returncode is None:
            server.kill()
        written = (await errors).decode()
        await server.wait()
    return receivers, told, written


@pytest.mark.timeout(300)
@pytest.mark.parametrize("names", [*((name,) for name in ATTACKS if LONG), tuple(ATTACKS)], ids="+".join)
def test_clients_receive_while_strangers_attack(names):
    receivers, told, written = asyncio.run(attacked(names))
    worst = sorted(receiver.worst for receiver in receivers)
    print(
        f"\n{' + '.join(names)}: {sum(len(one.numbers) for one in receivers)} messages to {CLIENTS} clients,"
        f" the slowest after {worst[-1]:.3f} s, the server's loop {told['lag']:.3f} s late,"
        f" refused {told['refused']}, cut {told['cut']},"
        f" {told['memory'][0]:.0f} → {told['memory'][1]:.0f} MB"
    )
    expected = list(range(told["rounds"]))
    assert [one for one in receivers if one.numbers != expected] == []
    assert {one.sessions for one in receivers} == {1}
    if names == ("nothing",):
        by_itself.append(worst[-1])
        return
    assert worst[-1] <= PATIENCE + max(by_itself)
    assert "Traceback" not in written
    assert len(written.splitlines()) <= 20, written
    assert told["refused"] or told["cut"] or names == ("small_maps",)  # which anybody may send
    assert told["memory"][1] - told["memory"][0] <= 400
