"""A server that is killed, ended and followed by the next one under load: what was answered arrives, once
and in order.

GAECHANNEL_KILLS says how often it is killed; `make kills` kills it a hundred times.
"""

import contextlib
import http.client
import itertools
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from urllib.parse import urlencode

import pytest
from waiting import until
from wire_by_hand import Talk, texts

import gaechannel

KILLS = int(os.environ.get("GAECHANNEL_KILLS", "2"))
CLIENTS = 4
#: Seconds of load between two kills.
LOAD_SECONDS = 0.4


class Process:
    """`gaechannel serve` on a port of its own, one process after the other."""

    def __init__(self, state, *arguments):
        with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
            self.port, self.admin_port = one.getsockname()[1], two.getsockname()[1]
        self.host = "127.0.0.1"
        self.base_url = f"http://127.0.0.1:{self.port}/talkgadget"
        self.arguments = ("--state", str(state), *arguments)
        self.processes = []

    def start(self):
        """Start the next process; returns it once it serves."""
        return self.is_up(self.begin())

    def begin(self):
        """Start the next process."""
        command = [sys.executable, "-m", "gaechannel", "serve", "--port", str(self.port)]
        command += ["--admin", f"127.0.0.1:{self.admin_port}", *self.arguments]
        environ = {**os.environ, "GAECHANNEL_ADMIN_TOKEN": "secret"}
        process = subprocess.Popen(command, stdout=-1, stderr=subprocess.PIPE, text=True, env=environ)
        self.processes.append(process)
        return process

    @staticmethod
    def is_up(process):
        """Wait until a process serves; returns it."""
        line = process.stdout.readline()
        assert "Serving" in line, process.stderr.read()
        return process

    @staticmethod
    def end(process, number):
        """End a process by a signal; returns what it had to say."""
        process.send_signal(number)
        _, err = process.communicate(timeout=30)
        return err

    def connection(self):
        """A connection to the administrative interface."""
        return http.client.HTTPConnection(self.host, self.admin_port, timeout=20)

    def create(self, client_id):
        """A token."""
        with contextlib.closing(self.connection()) as connection:
            return ask(connection, "create", client_id=client_id)


def ask(connection, what, **form):
    """An administrative request; returns the answer, or None where it is not 200."""
    headers = {"Authorization": "Bearer secret", "Content-Type": "application/x-www-form-urlencoded"}
    try:
        connection.request("POST", f"/admin/{what}", urlencode(form), headers)
        reply = connection.getresponse()
        text = reply.read().decode()
    except (OSError, http.client.HTTPException):
        connection.close()  # and so opens another for the next request
        return None
    return text if reply.status == 200 else None


@pytest.fixture
def serving(tmp_path):
    """Makes a server; whatever runs of it after the test is killed."""
    made = []

    def make(*arguments):
        made.append(Process(tmp_path / "state", *arguments))
        return made[-1]

    yield make
    for process in itertools.chain.from_iterable(one.processes for one in made):
        if process.poll() is None:
            process.kill()
        process.communicate()


class Sender(threading.Thread):
    """Sends numbers to one client, as fast as they are answered.

    A number that was not answered 200 may have been taken or not, and is not sent again.
    """

    def __init__(self, server, client_id):
        super().__init__()
        self.client_id = client_id
        self.connection = server.connection()
        self.answered = []
        self.ending = threading.Event()

    def run(self):
        for number in itertools.count():
            if self.ending.is_set():
                return
            if ask(self.connection, "send", client_id=self.client_id, message=str(number)) == "":
                self.answered.append(number)
            else:
                time.sleep(0.01)

    def must_have(self, count):
        """Wait until so many more have been answered."""
        goal = len(self.answered) + count
        until(lambda: len(self.answered) >= goal)

    def end(self):
        self.ending.set()
        self.join()
        self.connection.close()


class Ours(threading.Thread):
    """This project's client."""

    def __init__(self, server, token):
        super().__init__()
        self.got = []
        self.client = gaechannel.Client(token, base_url=server.base_url, max_backoff=0.2)

    def run(self):
        for message in self.client:
            self.got.append(int(message))

    def end(self):
        self.client.close()
        self.join()
        assert self.client.stats.sessions == 1
        return self.got


class Strange(threading.Thread):
    """A client that is not ours, on plain sockets: it knows SID and AID, and drops ids that it has seen."""

    def __init__(self, server, token):
        super().__init__()
        self.got = []
        self.talk = Talk(server, token).connect()
        self.aid = 1
        self.ending = False

    def run(self):
        while not self.ending:
            try:
                self.listen()
            except (OSError, http.client.HTTPException, AssertionError):  # cut, or nobody listens
                time.sleep(0.02)

    def listen(self):
        with contextlib.closing(self.talk.back(self.aid)) as stream:
            assert stream.status == 200, stream.status
            while not self.ending and (array := stream.next()) is not None:
                if array[0] > self.aid:
                    self.aid = array[0]
                    self.got.extend(map(int, texts([array])))

    def end(self):
        self.ending = True
        self.join()
        return self.got


def check(sender, got):
    """All that was answered has come, once, in order; what came besides was sent."""
    assert got == sorted(set(got))
    assert set(sender.answered) <= set(got)
    return len(sender.answered)


def wait_for(listener, sender):
    """Until a listener has the last that was answered."""
    until(lambda: listener.got and listener.got[-1] >= sender.answered[-1], 60)


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
    for listener, sender in zip(listeners, senders, strict=True):
        wait_for(listener, sender)
    answered = [check(sender, one.end()) for one, sender in zip(listeners, senders, strict=True)]
    print(f"{KILLS} kills, {sum(answered)} messages answered, all arrived once and in order")


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
    wait_for(listener, sender)
    check(sender, listener.end())
