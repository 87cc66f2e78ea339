"""Decoder's fast path to objects: the same as its plain one on every input, within bounds, nothing kept.

What it is compared with, and what with, is made by fuzz/fuzz_objects.py.
"""

import atexit
import ctypes
import gc
import importlib.util
import itertools
import json
import math
import random
import subprocess
import sys
import sysconfig
import threading
import tracemalloc
from pathlib import Path
from typing import ClassVar

import fuzz_objects as fuzz
import pytest
from hostile import frame
from hypothesis import given
from hypothesis import strategies as st
from waiting import until

import gaechannel
from gaechannel import Decoder, TalkMessageCorrupted

ROOT = Path(__file__).parents[2]
CASES = json.loads((ROOT / "tests" / "wire" / "cases.json").read_text())


def load_varied():
    """The benchmarks' payloads of programs that nobody knows."""
    spec = importlib.util.spec_from_file_location("varied", ROOT / "bench" / "common" / "varied.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


varied = load_varied()


def decoded(data):
    """What comes of the literal `data` in an array."""
    text = f"[[1,{data}]]"
    fuzz.compare(frame(text))
    ((_, value),) = Decoder().feed(frame(text))
    return value


# ---- The same as the plain way ----


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_both_ways_agree_on_every_case(case):
    fuzz.compare(case["body"].encode("latin-1"))


@pytest.mark.parametrize("seed", range(150))
def test_both_ways_agree_on_what_servers_may_write(seed):
    chance = random.Random(seed)
    for _ in range(20):
        fuzz.compare(fuzz.body(chance))


def test_both_ways_agree_wherever_a_chunk_is_cut_off_or_spoiled():
    text = '[[1,[{"a":[1.5e3,null,,"é\\n"],\'b\':{"ключ":-12}},true,undefined,"' + "x" * 40 + '"]],[2,{}]]'
    for at in range(len(text)):
        fuzz.compare(frame(text[:at]))
        fuzz.compare(frame(text[:at] + text[at + 1 :]))
        for byte in '"\\[]{},:0 n':
            fuzz.compare(frame(text[:at] + byte + text[at + 1 :]))


@pytest.mark.parametrize(
    "data", ["[1}", '{"a":1]', "[[1}]", '{"a":[}}', "[1,{]", "]", "}", '{"a",1}', "[1:2]", '{"a":}']
)
def test_no_bracket_stands_for_another(data):
    fuzz.compare(frame(f"[[1,{data}]]"))
    with pytest.raises(TalkMessageCorrupted):
        Decoder().feed(frame(f"[[1,{data}]]"))


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("kind", varied.KINDS)
def test_what_programs_that_nobody_knows_send_is_what_json_reads(kind, seed):
    payloads = varied.payloads(kind, seed, 25)
    body = b"".join(frame(payload) for payload in payloads)
    want = [tuple(array) for payload in payloads for array in json.loads(payload)]
    # By repr(): 1 is not 1.0, 0.0 is not -0.0, and keys have an order.
    assert repr(Decoder().feed(body)) == repr(want)
    decoder = Decoder()
    pieces = [body[at : at + 777] for at in range(0, len(body), 777)]
    assert repr([pair for piece in pieces for pair in decoder.feed(piece)]) == repr(want)
    fuzz.compare(body)


ALPHABETS = [*varied.ALPHABETS, "aé次", "é次", "次🚢", "a次\\", 'é"', "яa", "я次🚢\n"]


@pytest.mark.parametrize("alphabet", ALPHABETS)
@pytest.mark.parametrize("escapes", [False, True])
def test_strings_of_any_length_and_mixture_are_what_json_reads(alphabet, escapes):
    chance = random.Random(alphabet)
    texts = ["".join(chance.choices(alphabet, k=length)) for length in range(330) for _ in range(3)]
    # In runs, too, as words are.
    texts += ["".join(chance.choice(alphabet) * chance.randint(1, 19) for _ in range(9)) for _ in range(300)]
    for text in [json.dumps(text, ensure_ascii=escapes) for text in texts]:
        assert decoded(text) == json.loads(text)


def test_strings_about_as_long_as_short_ones_may_be_are_what_json_reads():
    # Few that is not plain: it is not what ends the short way.
    for behind in range(340):
        for before in 0, 31, 150, 223, 224, 256:
            text = f'"{"a" * before}é{"b" * behind}"'
            assert decoded(text) == json.loads(text)
            text = f'"{"a" * before}次{"b" * behind}"'
            assert decoded(text) == json.loads(text)


def test_two_escapes_are_a_pair_where_a_second_half_follows_a_first_one_and_nowhere_else():
    edges = ["d7ff", "d800", "dbff", "dc00", "dfff", "e000", "0041"]
    for first, second in itertools.product(edges, edges):
        # Short, and too long for what reads short ones.
        for before in "", "次", "x" * 40, "次" * 300:
            text = f'"{before}\\u{first}\\u{second}"'
            assert decoded(text) == json.loads(text), text


@pytest.mark.parametrize("before", ["", "é", "次", "次\\n", "x" * 40, "次" * 300], ids=ascii)
def test_both_ways_agree_on_a_pair_of_escapes_with_any_byte_of_it_spoiled(before):
    pair = r"\ud83d\udea2"
    for at in range(len(pair)):
        for byte in '"\\ugGnx0dD ':
            fuzz.compare(frame(f'[[1,"{before}{pair[:at]}{byte}{pair[at + 1 :]}"]]'))


@pytest.mark.parametrize("escapes", [False, True])
def test_characters_at_the_edges_of_each_kind_are_what_json_reads(escapes):
    edges = "\x00\x7f\x80\xff\u0100\u07ff\u0800\ud7ff\ue000\uffff\U00010000\U0010ffff"
    for first, second in itertools.product(edges, edges):
        text = json.dumps(first + second, ensure_ascii=escapes)
        assert decoded(text) == json.loads(text)


# Where one way to read a string ends, and another begins.
LENGTHS = [*range(4), 15, 16, 30, 31, 32, 33, 63, 64, 65, 255, 256, 257, 511, 512, 513, 1023, 1024, 1025]


@pytest.mark.parametrize(
    "last", ["\x7f", "\x80", "\xff", "\u0100", "\uffff", "\U00010000", "\U0010ffff"], ids=ascii
)
@pytest.mark.parametrize("filling", ["a", "é", "я", "次", "🚢"], ids=ascii)
def test_strings_are_of_the_narrowest_kind_that_holds_them(filling, last):
    """One that is wider would equal no other: CPython takes it for granted that there is none."""
    want = [text for length in LENGTHS for text in (filling * length, filling * length + last)]
    for escapes in False, True:
        written = [json.dumps(text, ensure_ascii=escapes) for text in want]
        values = decoded("[" + ",".join(written) + "]")
        keys = [next(iter(one)) for one in decoded("[" + ",".join(f"{{{key}:0}}" for key in written) + "]")]
        for found in values, keys:
            assert found == want
            assert [text.isascii() for text in found] == [text.isascii() for text in want]
            assert [sys.getsizeof(text) for text in found] == [sys.getsizeof(text) for text in want]
            # Of one character up to U+00FF CPython has each once.
            assert all(one is chr(ord(one)) for one in found if len(one) == 1 and one < "Ā")


def test_behind_a_strings_text_there_is_a_nul():
    """Where C code that is given one's text looks for its end."""
    text_of = ctypes.pythonapi.PyUnicode_AsUTF8
    text_of.argtypes, text_of.restype = [ctypes.py_object], ctypes.c_char_p  # which reads up to it
    want = ["a" * length for length in LENGTHS]
    values = decoded(json.dumps(want))
    keys = [next(iter(one)) for one in decoded(json.dumps([{text: 0} for text in want]))]
    for found in values, keys:
        assert [text_of(text) for text in found] == [text.encode() for text in want]


@pytest.mark.parametrize(
    "rest",
    [
        "é" + "x" * 27 + "éé" + "x" * 60,
        "次" + "\n" * 83,
        "次a次" + "éя" * 38,
        "次" * 64 + "a" + "次" * 70,
    ],
    ids=["heads", "escapes", "characters", "runs of characters"],
)
def test_short_strings_that_get_as_long_as_they_can_are_what_json_reads(rest):
    # What is written where all room is used up; a sanitizer sees what is written behind it.
    for before in range(190, 300):
        text = json.dumps("x" * before + rest, ensure_ascii=False)
        assert decoded(text) == json.loads(text)


@given(st.binary(max_size=60))
def test_both_ways_agree_on_bytes_of_any_kind(text):
    fuzz.compare(b"%d\n%s" % (len(text), text))


@pytest.mark.parametrize("before", range(40))
@pytest.mark.parametrize(
    "text", ['"x', "次の", "次のフェリーは七時に", "é\\n", "\\ud83d\\udea2 🚢", "a" * 31, "\\u00"]
)
def test_both_ways_agree_at_each_distance_from_a_chunks_end(text, before):
    fuzz.compare(frame(f'[[1,"{text}{"b" * before}"]]'))
    fuzz.compare(frame(f'[[1,{{"{text}{"b" * before}":1}}]]'))
    fuzz.compare(frame(f'[[1,{{"{text}":"{text}"}}]]' + " " * before))


# ---- Numbers ----


def spellings(chance):
    """A float's digits, in a way that may be written."""
    digits = str(chance.randrange(10 ** chance.randint(1, 19)))
    kind = chance.randrange(6)
    if kind == 0:
        return f"{digits}e{chance.randint(-345, 310)}"
    if kind == 4:
        return f"{digits}.{chance.randrange(10**25):025}e{chance.randint(-345, 280)}"
    if kind == 5:
        return f"{chance.uniform(-1000, 1000) * 10.0 ** chance.randint(-10, 20):.{chance.randint(15, 60)}f}"
    if kind == 1:
        return f"0.{'0' * chance.randint(0, 30)}{digits}"
    if kind == 2:
        return f"{digits}.{chance.randrange(10**6)}E+{chance.randint(0, 20)}"
    return repr(chance.random() * 10.0 ** chance.randint(-300, 300))


def test_floats_are_those_that_python_reads():
    chance = random.Random(1)
    texts = [spellings(chance) for _ in range(30_000)]
    found = decoded("[" + ",".join(texts) + "]")
    for text, number in zip(texts, found, strict=True):
        assert type(number) is float
        assert number == float(text), text


def test_digits_are_read_however_many_they_are_and_however_many_bytes_follow():
    digits = "1928374650" * 4
    for whole in range(1, 41):
        for places in (*range(1, 25), 39):
            text = f"{digits[:whole]}.{digits[:places]}"
            assert decoded(text) == float(text), text
            assert decoded(f"[{text}]") == [float(text)], text
            assert decoded(f'{{"at":-{text},"to":"the east"}}')["at"] == -float(text), text
        assert decoded(digits[:whole]) == int(digits[:whole])
        assert decoded(f'[-{digits[:whole]},"the east"]')[0] == -int(digits[:whole])


def test_floats_halfway_between_two_are_rounded_to_the_even_one():
    chance = random.Random(2)
    # Odd numbers of 54 and 55 bits, times powers of ten and five that keep them between two doubles.
    texts = [f"{2**53 + 2 * chance.getrandbits(52) + 1}e0" for _ in range(3000)]
    for q in range(1, 5):
        texts += [f"{(2**53 + 2 * chance.getrandbits(52) + 1) * 5**q}e-{q}" for _ in range(300)]
    texts += [f"{10**15 + chance.randrange(10**15)}.5" for _ in range(3000)]
    found = decoded("[" + ",".join(texts) + "]")
    assert found == [float(text) for text in texts]


@pytest.mark.parametrize(
    "text",
    [
        *(
            "0.0",
            "-0.0",
            "0e5",
            "-0.0e-9",
            "5e-324",
            "2e-324",
            "2.2250738585072011e-308",
            "9007199254740993.0",
        ),
        *("1.7976931348623157e308", "1.7976931348623159e308", "1e309", "-1e999999999", "1e-999999999"),
        *("0." + "0" * 400 + "1", "1" * 400 + ".0", "1" * 19 + "." + "1" * 19, "1e-323", "4.9e-322"),
        # Whole digits of which 64 bits keep nothing.
        *(
            f"{2**64 * factor}{rest}"
            for factor in (1, 3, 10**9, 2**64)
            for rest in (".0", ".5", ".25e3", "e2")
        ),
        # Halfway between two but for the last digit, which is the 20th or comes much later.
        *(f"9007199254740993.{'0' * zeros}{last}" for zeros in (0, 3, 700) for last in (0, 1)),
        *(f"0.{'0' * zeros}9007199254740993{'0' * 9}1" for zeros in (0, 20)),
    ],
)
def test_floats_at_the_edges(text):
    number = decoded(text)
    assert type(number) is float
    assert number == float(text) or (math.isinf(number) and math.isinf(float(text)))
    assert math.copysign(1, number) == math.copysign(1, float(text))


def test_an_exponent_counts_in_full_where_many_digits_nearly_make_up_for_it():
    many = 100_000  # the most digits that are not left to CPython
    texts = [
        *(f"{'1' * many}e-{exponent}" for exponent in (many, 2 * many, 10 * many, 11 * many)),
        *(f"0.{'0' * (many - 1)}1e{exponent}" for exponent in (many, 2 * many, 10 * many, 11 * many)),
        *(f"-0.{'0' * (many - 30)}{'7' * 30}e{exponent}" for exponent in (many, 10 * many)),
    ]
    assert [decoded(text) for text in texts] == [float(text) for text in texts]


@pytest.mark.parametrize(
    "text", ["1e400", "-1e400", "-0", "-0.0", "0E-0", "1E+2", "12345678901234567e-1", "-9223372036854775808"]
)
def test_numbers_are_what_json_reads(text):
    assert repr(decoded(f'[{text},{{"n":{text}}}]')) == repr(json.loads(f'[{text},{{"n":{text}}}]'))


@pytest.mark.parametrize("digits", [1, 2, 3, 4, 17, 18, 19, 20, 21, 639, 640, 641, 4300])
@pytest.mark.parametrize("sign", ["", "-"])
def test_integers_of_any_length(digits, sign):
    for number in (
        10 ** (digits - 1),
        10**digits - 1,
        256,
        257,
        2**63 - 1,
        2**63,
        2**64 - 1,
        2**64,
        2 * 10**19 - 1,
    ):
        found = decoded(f"{sign}{number}")
        assert type(found) is int
        assert found == (-number if sign else number)


def test_pythons_own_limit_of_digits_is_obeyed():
    limit = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(700)
    try:
        assert Decoder().feed(frame(f"[[1,{'1' * 700}]]")) == [(1, int("1" * 700))]
        with pytest.raises(ValueError, match="limit"):
            Decoder().feed(frame(f"[[1,{'1' * 701}]]"))
    finally:
        sys.set_int_max_str_digits(limit)


# ---- Keys ----


def test_the_last_of_equal_keys_counts_and_the_first_has_the_place():
    found = decoded(r'{"a":1,"b":2,"a":3,"\u0061":4,"' + "k" * 40 + '":5,"' + "k" * 40 + '":6}')
    assert list(found.items()) == [("a", 4), ("b", 2), ("k" * 40, 6)]


def test_a_key_is_what_stands_there_though_others_were_expected():
    pair = {"name": 1, "names": 2, "nam": 3, "": 4, "name ": 5}
    orders = [list(pair), list(pair)[::-1], ["names", "name"], ["nam", "", "name "]]
    for order in orders * 3:
        want = {key: pair[key] for key in order}
        assert list(decoded(json.dumps([want, [want]]))[1][0].items()) == list(want.items())


# As they stand, the last ones up to and past what is kept: 31 bytes.
WRITTEN_KEYS = [
    "имя",
    "имена",
    "им",
    r"a\"",
    r"a\"b",
    r"a\\",
    r"a\\\"",
    r"\"\"",
    "a",
    r"a\u0062",
    "ab",
    "\U0001f600",
    r"\ud83d\ude00",
    r"\ud83d",
    "é",
    "é ",
]
WRITTEN_KEYS += [
    letter * count + end for letter, end in [("я", ""), ("я", "x"), (r"\n", "x")] for count in range(13, 18)
]


def test_a_key_past_ascii_or_with_escapes_is_what_stands_there_though_others_were_expected():
    for turn in range(9):
        keys = WRITTEN_KEYS[turn:] + WRITTEN_KEYS[:turn]
        text = "{" + ",".join(f'"{key}":{number}' for number, key in enumerate(keys)) + "}"
        want = json.loads(text)
        assert [list(one.items()) for one in decoded(f"[{text},{text}]")] == [list(want.items())] * 2


@pytest.mark.parametrize(
    "written", ["key", "имя", "名前", "é", r"a\"b", r"\u0438\u043c\u044f", "я" * 15 + "x", "k" * 32, "k" * 63]
)
def test_a_key_that_comes_again_is_not_made_again(written):
    # Where more stands behind it than a key can have; as it was expected, and where another one was.
    text = f'[{{"{written}":1}},{{"{written}":2}},{{"other":3}},{{"{written}":4}},"{64 * "."}"]'
    first, second, _, last, _ = (next(iter(one)) for one in decoded(text))
    assert first is second
    assert first is last


@pytest.mark.parametrize("written", ["key", "имя", r"a\"b", r"a\n", "я" * 9])
def test_a_key_that_comes_again_where_the_text_ends_is_not_made_again(written):
    first, _, last = (
        next(iter(one)) for one in decoded(f'[{{"{written}":1}},{{"other":2}},{{"{written}":3}}]')
    )
    assert first is last


@pytest.mark.parametrize("written", ["key", "имя", r"a\"b", "k" * 31, "я" * 15 + "x", "k" * 32, "я" * 16])
def test_a_key_is_held_by_what_it_is_in_alone(written):
    text = f'[{{"{written}":1}},{{"{written}":2}},{{"other":3}},{{"{written}":4}},"{64 * "."}"]'
    key = next(iter(decoded(text)[0]))
    before = sys.getrefcount(key)
    for _ in range(3):
        decoded(text)
    assert sys.getrefcount(key) == before


@pytest.mark.parametrize("begin", ["k", "é", r"\n"])
def test_a_key_in_single_quotes_is_not_taken_for_one_in_double_quotes(begin):
    body = frame(f"""[[1,{{'{begin}'a":1}}]]""")
    assert Decoder().feed(frame(f"""[[1,{{"{begin}'a":1}}]]""")) != []
    fuzz.compare(body)
    with pytest.raises(TalkMessageCorrupted):
        Decoder().feed(body)


def test_a_long_key_is_what_stands_there_wherever_it_differs_from_others():
    # Of one to three heads of 32 bytes, equal but for one byte.
    for length in (31, 32, 33, 47, 62, 63, 64, 65):
        keys = ["k" * at + "x" + "k" * (length - at - 1) for at in range(length)]
        text = "{" + ",".join(f'"{key}":{number}' for number, key in enumerate(keys)) + "}"
        assert decoded(f"[{text},{text}]") == [json.loads(text)] * 2
        # At the end of the text, and with what is not plain in it.
        for key in (keys[0], keys[-1], r"k\n" + keys[0], keys[-1][2:] + "é", keys[-1][2:] + r"\""):
            assert decoded(f'[{{"{key}":1}},{{"{key}":2}}]') == json.loads(f'[{{"{key}":1}},{{"{key}":2}}]')


def test_a_key_with_nul_bytes_is_no_key_that_was_never_there():
    for length in range(66):
        nuls = "\0" * length
        assert Decoder().feed(frame(f'[[1,{{"{nuls}":1}}]]')) == [(1, {nuls: 1})]


def head_hash(key):
    """csrc/wire/literal_head.h's, on a little-endian machine."""
    odd = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x27D4EB2F165667C5)
    padded = key.encode().ljust(32, b"\0")
    words = (int.from_bytes(padded[at : at + 8], "little") for at in range(0, 32, 8))
    return sum(word * factor for word, factor in zip(words, odd, strict=True)) % 2**64


def hostile_keys(count):
    """Keys that all want the same place."""
    keys = (f"{number:07}" for number in range(10**7))
    return list(itertools.islice((key for key in keys if head_hash(key) >> 56 == 7), count))


@pytest.mark.parametrize("name", ["collide", "never come again"])
def test_hostile_keys_are_read_right_and_take_no_memory(name):
    keys = hostile_keys(2000) if name == "collide" else [f"key {number}" for number in range(20_000)]
    want = dict.fromkeys(keys, 1)
    body = frame(json.dumps([[1, want]]))
    decoder = Decoder()
    assert decoder.feed(body) == [(1, want)]
    tracemalloc.start()
    try:
        for turn in range(5):
            other = frame(json.dumps([[1, {f"{turn}{key}": 1 for key in keys}]]))
            before, _ = tracemalloc.get_traced_memory()
            decoder.feed(other)
            after, _ = tracemalloc.get_traced_memory()
            # As many strs as there are places, at the most.
            assert after - before < 100 * 1024
    finally:
        tracemalloc.stop()


# ---- Chunks ----


@pytest.mark.parametrize("fault", ["oops", "[1", "{'a'}", '"', "1e", "01", '{"a":1,}'])
def test_a_chunk_gives_all_of_its_arrays_or_none(fault):
    decoder = Decoder()
    body = frame('[[1,{"a":[2]}]]') + frame(f'[[2,{{"a":[3]}}],[3,{fault}]]')
    assert decoder.feed(body) == [(1, {"a": [2]})]
    with pytest.raises(TalkMessageCorrupted):
        decoder.feed(b"")


def test_a_large_chunk_leaves_no_large_stack_behind():
    numbers = list(range(300_000))
    body = frame(json.dumps([[1, numbers]]))
    decoder = Decoder()
    decoder.feed(frame("[[1,[2]]]"))
    tracemalloc.start()
    try:
        assert decoder.feed(body) == [(1, numbers)]
        gc.collect()
        left, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert left < 256 * 1024


# ---- Others at the same time ----


class Feeder:
    """In a cycle with itself, and a decoder when the garbage collector comes."""

    found: ClassVar[list[object]] = []

    def __init__(self):
        self.me = self

    def __del__(self):
        self.found += Decoder().feed(frame('[[7,{"inner":["é",{"key":[1,2,3]}]}]]'))


def test_a_finalizer_may_decode_while_another_decoder_builds():
    data = [{f"key{n}": [n, [n], {"inner": n}]} for n in range(300)]
    body = frame(json.dumps([[1, data]]))
    Feeder.found.clear()
    threshold = gc.get_threshold()
    gc.set_threshold(5, 2, 2)
    try:
        for _ in range(20):
            for _ in range(3):
                Feeder()
            assert Decoder().feed(body) == [(1, data)]
    finally:
        gc.set_threshold(*threshold)
    until(lambda: gc.collect() >= 0 and len(Feeder.found) >= 60)
    assert len(Feeder.found) == 60
    assert all(pair == (7, {"inner": ["é", {"key": [1, 2, 3]}]}) for pair in Feeder.found)


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="the garbage collector no longer comes amid a feed()")
def test_a_finalizer_may_not_feed_the_decoder_that_builds():
    data = [{f"key{n}": [n, [n], {"inner": n}]} for n in range(300)]
    body = frame(json.dumps([[1, data]]))
    decoder = Decoder()
    refused = []

    class Intruder:
        def __init__(self):
            self.me = self

        def __del__(self):
            try:
                decoder.feed(b"no length\n")
            except RuntimeError as error:
                refused.append(str(error))

    threshold = gc.get_threshold()
    gc.collect()
    gc.set_threshold(100, 2, 2)
    try:
        Intruder()
        assert decoder.feed(body) == [(1, data)]
    finally:
        gc.set_threshold(*threshold)
    assert refused == ["another feed() is under way"]
    assert decoder.feed(body) == [(1, data)]


def test_decoders_in_many_threads_do_not_meet():
    faults = []

    def decode(name):
        want = [(n, {f"{name}{n}": [name, n, {"same": f"{n}"}]}) for n in range(50)]
        body = frame(json.dumps(want))
        faults.extend(name for _ in range(200) if Decoder().feed(body) != want)

    threads = [threading.Thread(target=decode, args=(f"thread {n} ",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults


# ---- What is left ----


@pytest.mark.skipif(
    bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
    reason="without the GIL, CPython 3.13 keeps modules for ever",
)
def test_no_key_is_kept_once_the_module_is_gone(monkeypatch):
    # This keeps what it is given for as long as the interpreter is there.
    monkeypatch.setattr(atexit, "register", lambda hook: None)
    core_spec = importlib.util.spec_from_file_location("gaechannel._core", gaechannel._core.__file__)
    assert core_spec is not None
    assert core_spec.loader is not None
    core = importlib.util.module_from_spec(core_spec)
    core_spec.loader.exec_module(core)
    ((_, found),) = core.Decoder().feed(frame('[[1,{"a key of its own":1}]]'))
    (key,) = found
    found.clear()
    while_there = sys.getrefcount(key)
    del core
    core_spec.loader = None
    # Not once: while another thread collects, this one collects nothing.
    until(lambda: gc.collect() >= 0 and sys.getrefcount(key) < while_there)
    assert sys.getrefcount(key) == while_there - 1


NO_MEMORY = r"""
import gc, sys
import _testcapi
from gaechannel import Decoder

pieces = [
    '{"a":1,"b":["x",2.5,-7,300,1e30,123456789012345678901234567890]}',
    '["é","次","\\u00e9\\n","' + "s" * 600 + '"]',
    "'single'",
    '{"' + "k" * 40 + '":{},"":[]}',
    '"' + "次の" * 300 + '"',
    "[" + "1," * 600 + "2]",
    '[,,null,true]',
    '{"\\u006b":"\\ud83d"}',
    '["ab","🚢","🚢次","次\\ud83d"]',
]
# Numbers of which the interpreter keeps none.
payload = "[" + ",".join(f"[{n},{piece}]" for n, piece in enumerate(pieces, 10**9)) + "]"
body = b"%d\n%s" % (len(payload.encode("utf-16-le")) // 2, payload.encode())
want = Decoder().feed(body)
# Each key for the first time, again and again, as in a module that is new.
renewed = b"9999\n" + b"[[1,{" + b",".join(b'"%05d":1' % n for n in range(1000)) + b"}]]"
renewed = b"%d\n%s" % (len(renewed) - 5, renewed[5:])

def run(start, feed=body):
    decoder = Decoder()
    Decoder().feed(renewed)
    result = None
    _testcapi.set_nomemory(start, start + 1)
    try:
        result = decoder.feed(feed)
    except MemoryError:
        result = MemoryError
    finally:
        _testcapi.remove_mem_hooks()
    return result

def all_sites():
    failed = 0
    for start in range(1, 5000):
        result = run(start)
        if result is MemoryError:
            failed += 1
        elif result == want and start > failed + 50:
            return failed
        else:
            assert result == want, start
    raise SystemExit("never done")

first = all_sites()
assert first > 20, first
# The interpreter keeps some objects of each kind to use again, for how many rounds is a matter of its hashes'
# seed. One round without growth is enough; so many with it are a leak.
for _ in range(200):
    gc.collect()
    before = sys.getallocatedblocks()
    assert all_sites() > 20
    gc.collect()
    if sys.getallocatedblocks() <= before:
        break
else:
    raise SystemExit("something leaks")
# Where the module has no builder yet, all is made anew.
import atexit, importlib.util, gaechannel
atexit.register = lambda hook: None
def new_core():
    spec = importlib.util.spec_from_file_location("gaechannel._core", gaechannel._core.__file__)
    core = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(core)
    return core
refused = 0
for start in range(1, 1000):
    decoder = new_core().Decoder()
    _testcapi.set_nomemory(start, start + 1)
    try:
        result = decoder.feed(body)
    except MemoryError:
        refused += 1
        continue
    finally:
        _testcapi.remove_mem_hooks()
    assert result == want
    if start > refused + 50:
        break
assert refused > first, refused
print("all sites:", first, refused)
"""


def test_memory_that_runs_out_anywhere_is_a_memory_error_and_nothing_leaks():
    if importlib.util.find_spec("_testcapi") is None:
        pytest.skip("this CPython has no module to let memory run out with (_testcapi)")
    done = subprocess.run([sys.executable, "-c", NO_MEMORY], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    assert done.stdout.startswith("all sites:")
