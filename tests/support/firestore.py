"""Google's Firestore emulator, what may be told to it, and the channels that talk to it."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
import threading
import urllib.request
from pathlib import Path

import pytest
import waiting
from ports import free_port

from gaechannel import WebChannel, aio

PACKAGE = "google-cloud-cli-firestore-emulator"
MAIN = "com.google.cloud.datastore.emulator.firestore.CloudFirestore"

DATABASE = "projects/demo/databases/(default)"
DOCUMENTS = f"{DATABASE}/documents"

#: What the emulator takes for the owner, whom rules do not bind.
OWNER = {"Authorization": "Bearer owner"}

RULES = """
rules_version = '2';
service cloud.firestore {
  match /databases/{database}/documents {
    match /closed/{document=**} { allow read, write: if false; }
    match /open/{document=**} { allow read, write; }
  }
}
"""


def jar():
    """The emulator's jar and None, or None and the reason why it cannot be run."""
    if not shutil.which("java"):
        return None, "there is no java to run the Firestore emulator"
    if named := os.environ.get("FIRESTORE_EMULATOR_JAR"):
        return Path(named), None
    if shutil.which("dpkg"):
        listed = subprocess.run(["dpkg", "-L", PACKAGE], capture_output=True, text=True)
        for line in listed.stdout.splitlines():
            if line.endswith("firestore-emulator.jar"):
                return Path(line), None
    return None, f"{PACKAGE} is not installed, and FIRESTORE_EMULATOR_JAR names no jar"


def skip_where_there_is_none():
    """Skip the module that asks."""
    _, reason = jar()
    if reason:
        pytest.skip(reason, allow_module_level=True)


class Emulator:
    """The emulator; it keeps nothing when it ends."""

    def __init__(self, path, folder):
        self.path = path
        self.folder = folder
        self.port = free_port()
        self.process = None
        (folder / "rules").write_text(RULES)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def start(self):
        command = ["java", "-XX:TieredStopAtLevel=1", "-Xmx512m", "-cp", self.path, MAIN]
        command += ["--host", "127.0.0.1", "--port", str(self.port), "--project_id", "demo"]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--rules", self.folder / "rules"],
                stdout=log,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,
            )
        waiting.until(self.answers, seconds=60)

    def answers(self):
        assert self.process.poll() is None, (self.folder / "log").read_text()
        try:
            with urllib.request.urlopen(self.url, timeout=5) as reply:
                return reply.status == 200
        except OSError:
            return False

    def kill(self):
        """As `kill -9`: neither connections nor sessions are ended in order."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error):
        if self.process is not None and self.process.poll() is None:
            self.kill()

    def write(self, documents):
        """Set documents, by path, to their fields' strings, as their owner and all at once."""
        writes = [
            {
                "update": {
                    "name": f"{DOCUMENTS}/{path}",
                    "fields": {name: {"stringValue": value} for name, value in fields.items()},
                }
            }
            for path, fields in documents.items()
        ]
        request = urllib.request.Request(
            f"{self.url}/v1/{DOCUMENTS.replace('(', '%28').replace(')', '%29')}:commit",
            json.dumps({"writes": writes}).encode(),
            {"Content-Type": "application/json", **OWNER},
        )
        with urllib.request.urlopen(request, timeout=60) as reply:
            assert reply.status == 200


def address(url, service):
    """Where a service's WebChannel is: Listen or Write."""
    return f"{url}/google.firestore.v1.Firestore/{service}/channel"


def document_target(path, target=2):
    """Asks for a document."""
    documents = {"documents": [f"{DOCUMENTS}/{path}"]}
    return {"database": DATABASE, "addTarget": {"documents": documents, "targetId": target}}


def query_target(collection, target=2, **query):
    """Asks for what a query finds in a collection."""
    structured = {"from": [{"collectionId": collection.rpartition("/")[2]}], **query}
    parent = "/".join([DOCUMENTS, *collection.split("/")[:-1]])
    asked = {"parent": parent, "structuredQuery": structured}
    return {"database": DATABASE, "addTarget": {"query": asked, "targetId": target}}


def change(message):
    """What happened to a target, or None."""
    return message.get("targetChange", {}).get("targetChangeType")


def is_current(message):
    return change(message) == "CURRENT"


def document(message):
    """A changed document's path below the database, and its fields' strings; or None."""
    if "documentChange" not in message:
        return None
    found = message["documentChange"]["document"]
    fields = {name: value["stringValue"] for name, value in found.get("fields", {}).items()}
    return found["name"].removeprefix(f"{DOCUMENTS}/"), fields


class Talk:
    """What a channel was told, and how it ended."""

    def __init__(self):
        self.messages = []
        self.stats = None

    @property
    def documents(self):
        return [found for message in self.messages if (found := document(message))]

    def take(self, message, done):
        self.messages.append(message)
        return done(message)


def talk_sync(url, first, done, answer, options):
    talk = Talk()
    with WebChannel(url, **options) as channel:
        for one in first:
            channel.send(one)
        for message in channel:
            if talk.take(message, done):
                break
            for one in answer(message):
                channel.send(one)
        talk.stats = channel.stats
    return talk


async def talk_aio(url, first, done, answer, options):
    talk = Talk()
    async with asyncio.timeout(100), aio.WebChannel(url, **options) as channel:
        for one in first:
            await channel.send(one)
        async for message in channel:
            if talk.take(message, done):
                break
            for one in answer(message):
                await channel.send(one)
        talk.stats = channel.stats
    return talk


def talk(face, url, first, done, answer=lambda message: (), **options):
    """Open a channel, send maps, answer each message, until one of them is the last; "sync" or "aio"."""
    options = {"params": {"database": DATABASE}, **options}
    if face == "sync":
        return talk_sync(url, first, done, answer, options)
    return asyncio.run(talk_aio(url, first, done, answer, options))


class Listener:
    """Listens to a document in a thread of its own, and asks for it again where it is told to.

    Attributes:
        heard: the topics that the document had.
        current: how many times all was said that there was to say.
    """

    def __init__(self, url, path, **options):
        self.path = path
        self.heard = []
        self.current = 0
        self.channel = self.channel_class(
            url, params={"database": DATABASE}, init_headers=OWNER, max_backoff=0.2, **options
        )
        self.thread = threading.Thread(target=self.listen)

    def take(self, message):
        self.current += is_current(message)
        if found := document(message):
            self.heard.append(found[1]["topic"])

    def __enter__(self):
        self.thread.start()
        self.ask()
        return self

    def __exit__(self, *error):
        self.close()
        self.thread.join()


class SyncListener(Listener):
    """By gaechannel.WebChannel."""

    channel_class = WebChannel

    def ask(self):
        self.channel.send(document_target(self.path))

    def listen(self):
        for message in self.channel:
            self.take(message)

    def close(self):
        self.channel.close()


class AioListener(Listener):
    """By gaechannel.aio.WebChannel."""

    channel_class = aio.WebChannel

    def __init__(self, *arguments, **options):
        self.runner = asyncio.Runner()
        self.loop = self.runner.get_loop()
        super().__init__(*arguments, **options)

    def ask(self):
        sending = self.channel.send(document_target(self.path))
        asyncio.run_coroutine_threadsafe(sending, self.loop).result(60)

    def listen(self):
        with self.runner:
            self.runner.run(self.listen_in_loop())

    async def listen_in_loop(self):
        self.task = asyncio.current_task()
        with contextlib.suppress(asyncio.CancelledError):
            async with self.channel:
                async for message in self.channel:
                    self.take(message)

    def close(self):
        with contextlib.suppress(RuntimeError):  # the loop is closed after an error
            self.loop.call_soon_threadsafe(self.task.cancel)


LISTENERS = {"sync": SyncListener, "aio": AioListener}
