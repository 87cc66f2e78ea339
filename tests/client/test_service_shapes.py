"""Bodies of the shapes in which services were recorded in public, own data in them, wherever they are cut.

What each has that the others have not: Docs' editors escape slashes and have numbers of 13 digits; Firestore
prints prettily inside of compact lists, and begins a chunk right behind another; the Lounge ends lists on
lines of their own, and has JSON in JSON; Chat has objects keyed by numbers; signaler-pa nests; AI Studio's
live sessions bring sound in base64; some have a line feed between chunks that no length counts.
"""

import base64
import json
import random

import pytest
from hostile import units

from gaechannel import Decoder


def bare(payload):
    return f"{units(payload)}\n{payload}"


def lined(payload):
    return bare(f"{payload}\n")


def firestore(number):
    fields = {
        "prices": {"arrayValue": {"values": [{"mapValue": {"fields": {"n": {"doubleValue": 121.5}}}}]}},
        "none": {"arrayValue": {}},
        "odd": {"doubleValue": "NaN"},
        "small": {"doubleValue": -0.0},
        "tiny": {"doubleValue": 5e-324},
        "größe 🚢": {"stringValue": "+1\u2028"},
    }
    document = {"name": "projects/p/databases/(default)/documents/a/b", "fields": fields}
    change = {"documentChange": {"document": document, "targetIds": [2]}}
    return f"[{number},[{json.dumps(change, indent=2, ensure_ascii=False)}\n]]"


SOUND = base64.b64encode(random.Random(5).randbytes(1500)).decode()
BODIES = {
    "Docs": lined(
        r'[[1,[5,1367925530423,{"color":"#58B442","name":"Vån Ärlind","me":false,"photo":"\/\/a\/s128\/p"}]]'
        r',[2,[5,1367925530425,{"id":"112956879592017678596","type":0,"html":"\u003cb\u003e"}]]]'
    ),
    "Firestore": bare(f"[{firestore(1)},{firestore(2)}]")
    + bare(f"[{firestore(3)}]")
    + bare('[[4,["noop"]]]'),
    "Lounge": '17\n[[6,["noop"]\n]\n]\n'
    + lined(
        r'[[7,["remoteConnected",{"name":"Télé 📺","device":"{\"app\":\"remote\",\"x\":\"\\u0041\"}"}]]'
        "\n"
        r',[8,["getNowPlaying"]]'
        "\n]"
    ),
    "Chat": lined('[[0,["c","S","",8]\n]\n,[1,[{"gsid":"g"}]]\n]')
    + lined(
        r'[[2,[{"p":"{\"1\":{\"1\":{\"1\":1,\"2\":1}}}"}]],[3,[[null,null,[["é",null,"1700000000000000"]]]]]]'
    ),
    "signaler-pa": bare('[[1,[[null,null,["d5ty"]]]],[2,[[[["1",[["1777607372727478"]]]]]]]]')
    + bare('[[18,[[[["4",[null,null,["1777607613519203"]]],["3",[null,null,["17"]]]]]]]]'),
    "sound": bare(f'[[5,[[null,[[[[null,null,["audio/pcm;rate=24000","{SOUND}"]]],"model"]]]]]]'),
    "lines between chunks": '15\n[[73,["noop"]]]\n15\n[[74,["noop"]]]\n\r\n 15\n[[75,["noop"]]]',
}


def arrays_of(body):
    """By json alone: each chunk ends where the next length begins, or the body does."""
    found, rest = [], body
    while rest := rest.lstrip():
        length, _, rest = rest.partition("\n")
        encoded = rest.encode("utf-16-le")
        found += map(tuple, json.loads(encoded[: 2 * int(length)].decode("utf-16-le")))
        rest = encoded[2 * int(length) :].decode("utf-16-le")
    return found


@pytest.mark.parametrize("name", BODIES)
def test_it_is_read_as_json_reads_it_wherever_it_is_cut(name):
    body, want = BODIES[name].encode(), arrays_of(BODIES[name])
    assert len(want) > 0
    for cut in range(len(body) + 1):
        for raw in (False, True):
            decoder = Decoder(raw=raw)
            found = decoder.feed(body[:cut]) + decoder.feed(body[cut:])
            decoder.eof()
            if raw:
                found = [(number, json.loads(data)) for number, data in found]
            assert repr(found) == repr(want), (cut, raw)
    decoder = Decoder()
    assert repr([pair for byte in body for pair in decoder.feed(bytes([byte]))]) == repr(want)
