"""Listen to a document as Firestore's clients do, against a stand-in for Firestore: firestore_listen.py.

The dialect is WebChannel. With Firestore itself, URL is
``https://firestore.googleapis.com/google.firestore.v1.Firestore/Listen/channel``, and the Authorization
header holds a real token.
"""

from gaechannel import WebChannel, WebChannelError
from gaechannel.server import WEBCHANNEL, BrowserChannelService, LocalServer, Session

DATABASE = "projects/example/databases/(default)"
DOCUMENT = f"{DATABASE}/documents/rooms/eros"


def firestore(session: Session) -> None:
    """The stand-in: one document, shown to who asks for it with a token."""

    def answer(request: dict[str, object]) -> None:
        if session.headers.get("authorization") != "Bearer t0ken":
            error = {"code": 403, "message": "Missing permissions.", "status": "PERMISSION_DENIED"}
            session.send({"error": error})
            return
        if "addTarget" in request:
            target = {"targetIds": [2]}
            session.send({"targetChange": {"targetChangeType": "ADD", **target}})
            document = {"name": DOCUMENT, "fields": {"topic": {"stringValue": "😀"}}}
            session.send({"documentChange": {"document": document, **target}})
            session.send({"targetChange": {"targetChangeType": "CURRENT", "resumeToken": "Cg==", **target}})
        elif "removeTarget" in request:
            session.send({"targetChange": {"targetChangeType": "REMOVE", "targetIds": [2]}})
            session.close()

    session.on_message = answer


def listen(url: str, token: str) -> None:
    """Print what is said about the document until it is known to be current."""
    with WebChannel(
        url,
        params={"database": DATABASE},
        init_headers={"Authorization": f"Bearer {token}", "Content-Type": "text/plain"},
    ) as channel:
        documents = {"documents": [DOCUMENT]}
        channel.send({"database": DATABASE, "addTarget": {"documents": documents, "targetId": 2}})
        for message in channel:
            for kind, change in message.items():
                print(kind, change.get("targetChangeType") or change["document"]["fields"], flush=True)
                if change.get("targetChangeType") == "CURRENT":
                    channel.send({"database": DATABASE, "removeTarget": 2})


def main() -> None:
    service = BrowserChannelService(firestore, dialect=WEBCHANNEL)
    with LocalServer(mounts={"/Listen/channel": service}) as server:
        url = f"{server.url}/Listen/channel"
        listen(url, "t0ken")
        try:
            listen(url, "wrong")
        except WebChannelError as error:
            print("refused:", error)


if __name__ == "__main__":
    main()
