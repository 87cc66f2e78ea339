"""Servers in processes of their own, who sends to them without a pause, and who listens to all of it."""

import contextlib
import http.client
import itertools
import os
import socket
import subprocess
import sys
import threading
import time
from urllib.parse import urlencode

from ports import free_port
from waiting import until
from wire_by_hand import Talk, texts

import gaechannel


class Process:
    """`gaechannel serve` on a port of its own, one process after the other.

    Args:
        arguments: further ones.
        words: the file that they write their warnings to; None: a pipe, which is not to get full.
    """

    def __init__(self, *arguments, words=None):
        self.port, self.admin_port = free_port(), free_port()
        self.host = "127.0.0.1"
        self.base_url = f"http://127.0.0.1:{self.port}/talkgadget"
        self.arguments = arguments
        self.words = words
        self.processes = []

    def start(self):
        """Start the next process; returns it once it serves."""
        return self.is_up(self.begin())

    def begin(self):
        """Start the next process."""
        command = [sys.executable, "-m", "gaechannel", "serve", "--port", str(self.port)]
        command += ["--admin", f"127.0.0.1:{self.admin_port}", *self.arguments]
        environ = {**os.environ, "GAECHANNEL_ADMIN_TOKEN": "secret"}
        with contextlib.ExitStack() as stack:
            err = subprocess.PIPE if self.words is None else stack.enter_context(self.words.open("a"))
            process = subprocess.Popen(command, stdout=-1, stderr=err, text=True, env=environ)
        self.processes.append(process)
        return process

    @staticmethod
    def is_up(process):
        """Wait until a process serves; returns it."""
        line = process.stdout.readline()
        assert "Serving" in line, process.communicate()
        return process

    @staticmethod
    def end(process, number):
        """End a process by a signal; returns what it had to say."""
        process.send_signal(number)
        _, err = process.communicate(timeout=30)
        return err

    def kill(self):
        """End all that were begun, whatever they have still to say."""
        for process in self.processes:
            with process:
                process.kill()

    def connection(self):
        """A connection to the administrative interface."""
        return http.client.HTTPConnection(self.host, self.admin_port, timeout=PATIENCE)

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


#: Seconds of silence after which who sends or listens tries anew.
PATIENCE = 5


class Impatient(Talk):
    """Does not wait for a server that has been stopped."""

    def connection(self):
        return http.client.HTTPConnection(self.server.host, self.server.port, timeout=PATIENCE)


class Sender(threading.Thread):
    """Sends numbers to one client, as fast as they are answered.

    A number that was not answered 200 may have been taken or not, and is not sent again.
    """

    def __init__(self, server, client_id):
        super().__init__()
        self.server, self.client_id = server, client_id
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
                self.connection.close()
                self.connection = self.server.connection()

    def must_have(self, count):
        """Wait until so many more have been answered."""
        goal = len(self.answered) + count
        until(lambda: len(self.answered) >= goal, 60)

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
        self.talk = Impatient(server, token).connect()
        self.stream = None
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
            self.stream = stream
            assert stream.status == 200, stream.status
            while not self.ending and (array := stream.next()) is not None:
                if array[0] > self.aid:
                    self.aid = array[0]
                    self.got.extend(map(int, texts([array])))

    def end(self):
        self.ending = True
        with contextlib.suppress(OSError, AttributeError):  # it may have ended meanwhile
            self.stream.connection.sock.shutdown(socket.SHUT_RDWR)
        self.join()
        return self.got


def check(sender, got):
    """All that was answered has come, once and in order. What was not answered may come, once, or late."""
    assert len(got) == len(set(got))
    answered = set(sender.answered)
    assert [one for one in got if one in answered] == sender.answered
    return len(answered)


def wait_for(listener, sender):
    """Until a listener has the last that was answered."""
    until(lambda: sender.answered[-1] in listener.got[-1000:], 60)


def end(listeners, senders):
    """End those who listen once all that was answered to the senders has come; returns how much that is."""
    for listener, sender in zip(listeners, senders, strict=True):
        wait_for(listener, sender)
    return sum(check(sender, one.end()) for one, sender in zip(listeners, senders, strict=True))
