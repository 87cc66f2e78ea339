"""A fast server of the talk dialect that ends its back channels, and cuts them, as often as it can.

A process of its own: `python cutting_server.py COUNT SEED`. It prints its port, numbers its messages from 1
to COUNT, ends each back channel within some 50 ms, in order or cut anywhere in a chunk, by chance, and sends
again what the next request's AID does not acknowledge. When all are acknowledged it prints what it has done,
as JSON.
"""

import asyncio
import json
import random
import struct
import sys
import time
from urllib.parse import parse_qs, urlsplit

from hostile import frame, message, ok, opening, page

# Seconds that a back channel lasts at most, or so; messages in a chunk; chunks in a back channel.
LIFETIME = 0.05
BATCH = 50
MOST_CHUNKS = 60


def text_of(number):
    """What the message with this number says: some are long, some are no ASCII, some are full of escapes."""
    if number % 1000 == 0:
        return f"{number} " + "long " * 1000
    return f"{number} " + ("é€😀", 'a "quoted" \\ line\n', "plain", "")[number % 4]


class Cutting:
    def __init__(self, count, seed):
        self.count = count
        self.chance = random.Random(seed)
        self.said = dict.fromkeys(["back channels", "cut", "ended", "resets", "messages"], 0)
        self.done = asyncio.Event()
        # Chunks by the number of their first message: encoding them takes longer than sending them.
        self.chunks = {}

    def chunk(self, first):
        if first not in self.chunks:
            if len(self.chunks) > 1000:
                self.chunks.clear()
            numbers = range(first, min(first + BATCH, self.count + 1))
            self.chunks[first] = frame(f"[{','.join(message(n, text_of(n)) for n in numbers)}]\n")
        return self.chunks[first]

    async def serve(self, reader, writer):
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.decode().split("\r\n")
                method, target, _ = lines[0].split(" ")
                length = sum(
                    int(line.split(":")[1]) for line in lines if line.lower().startswith("content-length")
                )
                await reader.readexactly(length)
                query = {key: values[0] for key, values in parse_qs(urlsplit(target).query).items()}
                if method == "GET" and "RID" in query:
                    await self.back_channel(writer, int(query["AID"]))
                    return
                writer.write(
                    ok(page() if method == "GET" else frame("[1,0,0]") if "SID" in query else opening())
                )
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def back_channel(self, writer, aid):
        self.said["back channels"] += 1
        if aid == self.count:
            self.done.set()
            return
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        end = time.monotonic() + LIFETIME * (0.5 + self.chance.random())
        left = self.chance.randrange(1, MOST_CHUNKS)
        number = aid + 1
        while number <= self.count:
            chunk = self.chunk(number)
            left -= 1
            if time.monotonic() >= end or left == 0:
                self.break_off(writer, chunk)
                break
            writer.write(chunk)
            await writer.drain()
            number += BATCH
        self.said["messages"] += number - aid - 1

    def break_off(self, writer, chunk):
        kind = self.chance.randrange(3)
        if kind == 0:
            self.said["ended"] += 1
            return
        writer.write(chunk[: self.chance.randrange(1, len(chunk))])
        self.said["cut"] += 1
        if kind == 2:
            # With a reset, which may take with it what was sent before.
            self.said["resets"] += 1
            writer.get_extra_info("socket").setsockopt(1, 13, struct.pack("ii", 1, 0))  # SO_LINGER
            writer.transport.abort()


async def main(count, seed):
    cutting = Cutting(count, seed)
    async with await asyncio.start_server(cutting.serve, "127.0.0.1", 0) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await cutting.done.wait()
    print(json.dumps(cutting.said), flush=True)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
