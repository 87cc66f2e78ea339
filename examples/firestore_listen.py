"""Print what changes in a Firestore collection, for months: firestore_listen.py URL PROJECT COLLECTION.

URL is https://firestore.googleapis.com or an emulator's; the environment's FIRESTORE_TOKEN an OAuth token. A
lost session is followed by one that goes on where the last one stopped: it hands the server a resume token.
What the server says twice is known by its update time, so that each change is printed once.
"""

import json
import logging
import os
import sys
from collections.abc import Iterator
from typing import Any

from gaechannel import ChannelError, WebChannel

TARGET = 2


class Collection:
    """What is known of a collection, and how to ask for the rest."""

    def __init__(self, project: str, path: str) -> None:
        self.database = f"projects/{project}/databases/(default)"
        parent, _, self.name = path.rpartition("/")
        self.parent = f"{self.database}/documents" + (f"/{parent}" if parent else "")
        #: When each document was last written, as far as was said.
        self.updated: dict[str, str] = {}
        #: Of these documents nothing was heard since the server began to say everything again.
        self.unheard: set[str] = set()
        self.resume_token: str | None = None

    def ask(self, channel: WebChannel, _session: object = None) -> None:
        """Ask for the collection: before each session opens, and where deletions were not said."""
        if self.resume_token is not None:
            self.unheard = set()
        query = {"parent": self.parent, "structuredQuery": {"from": [{"collectionId": self.name}]}}
        target = {"query": query, "targetId": TARGET}
        if self.resume_token is not None:
            target["resumeToken"] = self.resume_token
        channel.send({"database": self.database, "addTarget": target})

    def changes(self, channel: WebChannel, message: dict[str, Any]) -> Iterator[str]:
        """What a message changes, a line each."""
        match message:
            case {"documentChange": {"document": document, "targetIds": [*_]}}:
                yield from self.heard(document)
            case {"documentChange": {"document": {"name": name}}}:
                yield from self.gone(name)  # it is no longer what the query asks for
            case {"documentDelete": {"document": name}} | {"documentRemove": {"document": name}}:
                yield from self.gone(name)
            case {"filter": filter_} if filter_.get("count", 0) != len(self.updated):
                # Deletions were not said: hear everything again.
                self.resume_token, self.unheard = None, set(self.updated)
                channel.send({"database": self.database, "removeTarget": TARGET})
            case {"targetChange": target}:
                yield from self.target_changes(channel, target)

    def heard(self, document: dict[str, Any]) -> Iterator[str]:
        name, when = document["name"], document["updateTime"]
        self.unheard.discard(name)
        if self.updated.get(name) != when:
            word = "changed" if name in self.updated else "added"
            self.updated[name] = when
            yield f"{word} {self.short(name)} {json.dumps(document.get('fields', {}), ensure_ascii=False)}"

    def gone(self, name: str) -> Iterator[str]:
        self.unheard.discard(name)
        if self.updated.pop(name, None) is not None:
            yield f"removed {self.short(name)}"

    def short(self, name: str) -> str:
        return name.removeprefix(f"{self.database}/documents/")

    def target_changes(self, channel: WebChannel, target: dict[str, Any]) -> Iterator[str]:
        match target.get("targetChangeType"):
            case "RESET":
                self.unheard = set(self.updated)
                return  # its token stands for what was not said yet
            case "CURRENT":
                for name in sorted(self.unheard):
                    yield from self.gone(name)
            case "REMOVE" if "cause" in target:
                raise SystemExit(f"the server refuses the query: {target['cause']}")
            case "REMOVE":
                self.ask(channel)
        self.resume_token = target.get("resumeToken", self.resume_token)


def main() -> int:
    if len(sys.argv) != 4:
        print(__doc__, file=sys.stderr)
        return 2
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s")
    url, project, path = sys.argv[1:]
    collection = Collection(project, path)
    with WebChannel(
        f"{url}/google.firestore.v1.Firestore/Listen/channel",
        params={"database": collection.database},
        init_headers=lambda: {"Authorization": f"Bearer {os.environ.get('FIRESTORE_TOKEN', 'owner')}"},
        on_session=collection.ask,
    ) as channel:
        try:
            for message in channel:
                for line in collection.changes(channel, message):
                    print(line, flush=True)
        except ChannelError as error:
            print(f"the channel has failed: {error}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
