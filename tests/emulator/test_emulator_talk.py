"""Listen and Write of Google's Firestore emulator, as the manual shows them."""

import pytest
from firestore import (
    DOCUMENTS,
    OWNER,
    address,
    change,
    document_target,
    is_current,
    query_target,
    skip_where_there_is_none,
    talk,
)

from gaechannel import HTTPStatusError, WebChannelError

skip_where_there_is_none()
pytestmark = pytest.mark.parametrize("face", ["sync", "aio"])

MANY = 1200
WAYS = [
    {},
    {"buffered": True},
    {"fast_handshake": True},
    {"fast_handshake": True, "buffered": True},
]
WAY_NAMES = ["plain", "buffered", "fast handshake", "fast handshake, buffered"]


@pytest.fixture(scope="module")
def rooms(emulator):
    """1,200 documents, with every kind of character."""
    documents = {f"open/many/rooms/{n:04}": {"topic": "é€😀"[n % 3] * (n % 50)} for n in range(MANY)}
    paths = list(documents)
    for start in range(0, MANY, 400):
        emulator.write({path: documents[path] for path in paths[start : start + 400]})
    return documents


@pytest.mark.parametrize("options", WAYS, ids=WAY_NAMES)
def test_each_of_1200_documents_comes_once(face, emulator, rooms, options):
    target = query_target("open/many/rooms")
    heard = talk(face, address(emulator.url, "Listen"), [target], is_current, **options)
    assert sorted(heard.documents) == sorted(rooms.items())
    assert heard.stats.sessions == 1


def test_a_query_finds_what_it_asks_for(face, emulator):
    emulator.write({f"open/query/rooms/{n}": {"topic": "even" if n % 2 == 0 else "odd"} for n in range(10)})
    where = {"field": {"fieldPath": "topic"}, "op": "EQUAL", "value": {"stringValue": "odd"}}
    target = query_target("open/query/rooms", where={"fieldFilter": where})
    heard = talk(face, address(emulator.url, "Listen"), [target], is_current)
    assert sorted(path[-1] for path, _ in heard.documents) == ["1", "3", "5", "7", "9"]


@pytest.mark.parametrize("options", WAYS, ids=WAY_NAMES)
def test_a_change_is_heard_of_as_it_was_made(face, emulator, options):
    path = "open/😀-é"
    emulator.write({path: {"topic": "before"}})

    def write_when_current(message):
        if is_current(message):
            emulator.write({path: {"topic": "after 😀\u2028\ud7ff"}})
        return ()

    def changed(message):
        return (
            message.get("documentChange", {})
            .get("document", {})
            .get("fields", {})
            .get("topic", {})
            .get("stringValue", "")
            .startswith("after")
        )

    heard = talk(
        face,
        address(emulator.url, "Listen"),
        [document_target(path)],
        changed,
        write_when_current,
        **options,
    )
    assert heard.documents == [(path, {"topic": "before"}), (path, {"topic": "after 😀\u2028\ud7ff"})]


def test_a_target_that_is_removed_is_said_to_be(face, emulator):
    emulator.write({"open/removed": {"topic": "x"}})
    heard = talk(
        face,
        address(emulator.url, "Listen"),
        [document_target("open/removed", 7)],
        lambda message: change(message) == "REMOVE",
        lambda message: (
            [{"database": DOCUMENTS.rpartition("/")[0], "removeTarget": 7}] if is_current(message) else ()
        ),
    )
    assert heard.messages[-1] == {"targetChange": {"targetChangeType": "REMOVE", "targetIds": [7]}}


@pytest.mark.parametrize("options", WAYS, ids=WAY_NAMES)
def test_writes_are_carried_out_each_once_and_in_order(face, emulator, options):
    path = f"open/written-{face}-{len(options)}{'buffered' in options}"
    count = 30
    results = []

    def write_next(message):
        results.append(message)
        if len(results) > count:
            return ()
        update = {"name": f"{DOCUMENTS}/{path}", "fields": {"n": {"stringValue": f"😀{len(results)}"}}}
        # Each write depends on what the one before it left.
        wanted = {"exists": False} if len(results) == 1 else {"updateTime": results[-1]["commitTime"]}
        return [
            {
                "streamToken": message["streamToken"],
                "writes": [{"update": update, "currentDocument": wanted}],
            }
        ]

    written = talk(
        face,
        address(emulator.url, "Write"),
        [{"database": DOCUMENTS.rpartition("/")[0]}],
        lambda message: len(results) == count,
        write_next,
        **options,
    )
    assert len(written.messages) == count + 1
    heard = talk(face, address(emulator.url, "Listen"), [document_target(path)], is_current)
    assert heard.documents == [(path, {"n": f"😀{count}"})]


def test_what_the_rules_forbid_to_hear_is_refused_and_the_rest_goes_on(face, emulator):
    emulator.write({"closed/x": {"topic": "secret"}, "open/x": {"topic": "said"}})
    heard = talk(
        face,
        address(emulator.url, "Listen"),
        [document_target("closed/x", 2), document_target("open/x", 4)],
        is_current,
    )
    [refused] = [message for message in heard.messages if change(message) == "REMOVE"]
    assert refused["targetChange"]["targetIds"] == [2]
    assert refused["targetChange"]["cause"]["code"] == 7
    assert heard.documents == [("open/x", {"topic": "said"})]


def test_the_initial_headers_reach_the_rules(face, emulator):
    emulator.write({"closed/owned": {"topic": "secret"}})
    heard = talk(
        face,
        address(emulator.url, "Listen"),
        [document_target("closed/owned")],
        is_current,
        init_headers=OWNER,
    )
    assert heard.documents == [("closed/owned", {"topic": "secret"})]


def test_a_database_that_is_none_is_refused_in_words(face, emulator):
    target = {
        "database": "nope",
        "addTarget": {"documents": {"documents": ["nope/documents/x"]}, "targetId": 2},
    }
    heard = talk(
        face,
        address(emulator.url, "Listen"),
        [target],
        lambda message: change(message) == "REMOVE",
        params={"database": "nope"},
    )
    assert heard.messages[-1]["targetChange"]["cause"]["code"] == 3


def never(message):
    return False


@pytest.mark.parametrize("options", WAYS, ids=WAY_NAMES)
def test_a_query_that_is_none_raises(face, emulator, options):
    with pytest.raises(WebChannelError) as raised:
        talk(face, address(emulator.url, "Listen"), [query_target("open", limit=-3)], never, **options)
    assert raised.value.status == "UNKNOWN"
    assert raised.value.message == "-3"


@pytest.mark.parametrize("options", WAYS, ids=WAY_NAMES)
@pytest.mark.parametrize(
    ("name", "status"),
    [("nonsense", "INVALID_ARGUMENT"), (f"{DOCUMENTS}/closed/x", "PERMISSION_DENIED")],
    ids=["bad name", "the rules forbid it"],
)
def test_a_write_that_is_refused_raises(face, emulator, options, name, status):
    def write(message):
        return [{"streamToken": message["streamToken"], "writes": [{"update": {"name": name}}]}]

    database = {"database": DOCUMENTS.rpartition("/")[0]}
    with pytest.raises(WebChannelError) as raised:
        talk(face, address(emulator.url, "Write"), [database], never, write, **options)
    assert raised.value.status == status
    assert raised.value.message


def test_a_service_that_is_none_raises(face, emulator):
    with pytest.raises(HTTPStatusError) as raised:
        talk(face, address(emulator.url, "Nothing"), [document_target("open/x")], never)
    assert raised.value.code == 404
    assert raised.value.body.strip() == "Not Found"
