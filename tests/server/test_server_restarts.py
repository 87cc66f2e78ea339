"""A server that is killed, ended and followed by the next one under load: what was answered arrives, once
and in order.

GAECHANNEL_KILLS says how often it is killed; `make kills` kills it a hundred times.
"""

import os
import random
import signal
import time

import pytest
from serving import Ours, Process, Sender, Strange, end

KILLS = int(os.environ.get("GAECHANNEL_KILLS", "2"))
CLIENTS = 4
#: Seconds of load between two kills.
LOAD_SECONDS = 0.4


@pytest.fixture
def serving(tmp_path):
    """Makes a server; whatever runs of it after the test is killed."""
    made = []

    def make(*arguments):
        made.append(Process("--state", str(tmp_path / "state"), *arguments))
        return made[-1]

    yield make
    for one in made:
        one.kill()


@pytest.mark.timeout(60 + 20 * KILLS)
def test_what_was_answered_arrives_once_and_in_order_over_kills(serving):
    server = serving()
    process = server.start()
    chance = random.Random(KILLS)
    senders, listeners = [], []
    for number in range(CLIENTS):
        token = server.create(f"client {number}")
        listener = (Ours, Strange)[number % 2](server, token)
        listeners.append(listener)
        senders.append(Sender(server, f"client {number}"))
    for thread in (*listeners, *senders):
        thread.start()
    try:
        for _ in range(KILLS):
            for sender in senders:
                sender.must_have(1)
            time.sleep(chance.uniform(0, LOAD_SECONDS))  # the moment of the kill is chance
            server.end(process, signal.SIGKILL)
            process = server.start()
    finally:
        for sender in senders:
            sender.end()
    answered = end(listeners, senders)
    print(f"{KILLS} kills, {answered} messages answered, all arrived once and in order")


def test_a_server_rolls_over_to_the_next_on_the_same_port(serving):
    server = serving("--reuse-port")
    process = server.start()
    token = server.create("me")
    listener, sender = Strange(server, token), Sender(server, "me")
    listener.start()
    sender.start()
    try:
        for _ in range(2):
            sender.must_have(50)
            next_one = server.begin()  # it waits for the state
            assert server.end(process, signal.SIGTERM) == ""
            assert process.returncode == 0
            server.is_up(next_one)
            process = next_one
        sender.must_have(50)
    finally:
        sender.end()
    end([listener], [sender])
