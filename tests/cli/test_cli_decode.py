"""`gaechannel decode`: a captured body, a line an array, and where it breaks."""

import gzip
import json

import pytest
from hostile import frame

OPENING = '[[0,["c","SID1",null,8,14,30000]],\n]'


@pytest.fixture
def decode(run, tmp_path):
    """decode(body, *arguments): exit status, stdout and stderr, of a body in a file."""

    def decode_file(body, *arguments):
        file = tmp_path / "body"
        file.write_bytes(body)
        status, out, err = run("decode", *arguments, str(file))
        return status, out, err.replace(str(file), "FILE")

    return decode_file


def test_prints_an_array_a_line(decode):
    body = frame(OPENING) + frame("[[1,['a\\n',,\"é😀\"]],[2,{'x':1}]]") + frame('[[3,["noop"]]]')
    assert decode(body) == (
        0,
        '0 ["c", "SID1", null, 8, 14, 30000]\n1 ["a\\n", null, "é😀"]\n2 {"x": 1}\n3 ["noop"]\n',
        "",
    )


def test_json_has_the_id_the_chunks_offset_and_the_data(decode):
    first = frame(OPENING)
    status, out, err = decode(first + frame('[[1,"\u2028"],[2,[]]]'), "--json")
    assert (status, err) == (0, "")
    assert [json.loads(line) for line in out.splitlines()] == [
        {"id": 0, "offset": 0, "data": ["c", "SID1", None, 8, 14, 30000]},
        {"id": 1, "offset": len(first), "data": "\u2028"},
        {"id": 2, "offset": len(first), "data": []},
    ]


def test_raw_prints_the_data_as_it_stands_in_the_body(decode):
    body = frame("[[1,['a' ,,\"\\u00e9é\"]],[2, {x:1}\n]]") + frame("[1, 0,7]")
    assert decode(body, "--raw") == (0, "1 ['a' ,,\"\\u00e9é\"]\n2 {x:1}\n- [1, 0,7]\n", "")
    lines = [json.loads(line) for line in decode(body, "--raw", "--json")[1].splitlines()]
    assert [line["data"] for line in lines] == ["['a' ,,\"\\u00e9é\"]", "{x:1}", "[1, 0,7]"]


@pytest.mark.parametrize("compressed", [False, True])
def test_reads_standard_input(start, compressed):
    body = frame('[[1,"ä"]]')
    process = start("decode", text=False)
    out, err = process.communicate(gzip.compress(body) if compressed else body, timeout=30)
    assert (process.returncode, out.decode(), err) == (0, '1 "ä"\n', b"")


def test_prints_each_array_as_soon_as_it_is_there(start):
    process = start("decode", "-", text=False)
    for number in (1, 2):
        process.stdin.write(frame(f"[[{number},[]]]"))
        process.stdin.flush()
        assert process.stdout.readline() == b"%d []\n" % number


def test_a_file_of_several_gzip_members_is_read_whole(decode):
    body = gzip.compress(frame("[[1,1]]")) + gzip.compress(frame("[[2,2]]"))
    assert decode(body) == (0, "1 1\n2 2\n", "")


def test_what_holds_no_arrays_is_printed_without_an_id(decode):
    assert decode(frame("[1,0,7]")) == (0, "- [1, 0, 7]\n", "")
    assert json.loads(decode(frame("[0]"), "--json")[1]) == {"id": None, "offset": 0, "data": [0]}


def test_keep_alives_and_line_ends_between_chunks_are_left_out(decode):
    assert decode(b"\xef\xbb\xbf" + frame(" \n") + b"\n\n" + frame("[[1,1]]") + b"\r\n") == (0, "1 1\n", "")
    assert decode(b"") == (0, "", "")


GOOD = frame('[[1,"ä"]]')


@pytest.mark.parametrize(
    ("broken", "offset", "words"),
    [
        (b"<html>\n", 0, "length of submission expected, got '<html>'"),
        (b"\n<html>", 1, "the body ended inside a length: '<html>'"),
        (b"12", 0, "the body ended inside a length: '12'"),
        (b"99999999999\n", 0, "is over the limit"),
        (b"9\n[[2,", 6, "the body ends inside a chunk: 9 chars expected, got 4"),
        (b'9\n[[2,"\xff"]]', 7, "the body is not UTF-8"),
        (frame('[[2,"ä" x]]'), 12, "behind an array's element"),
        (frame("[[2]]"), 2, "an array without data"),
        (frame('[[2,"😀","😀"]]')[:-1] + b"[", 21, "neither a comma nor ]"),
    ],
)
def test_what_came_before_is_printed_and_where_it_breaks(decode, broken, offset, words):
    status, out, err = decode(GOOD + broken)
    assert (status, out) == (1, '1 "ä"\n')
    assert err.startswith(f"gaechannel: FILE, at byte {len(GOOD) + offset}: "), err
    assert words in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("body", [b"<!doctype html>\n<p>", b"\n<html>", b"Unknown SID\n"])
def test_a_page_is_called_no_body(decode, body):
    status, out, err = decode(body)
    assert (status, out) == (1, "")
    assert err.endswith("; this is no BrowserChannel body\n")
    assert err.count("\n") == 1
    assert "no BrowserChannel body" not in decode(GOOD + body)[2]
    assert "no BrowserChannel body" not in decode(b"12")[2]


def test_a_compressed_body_that_breaks_off_is_one_line(decode):
    compressed = gzip.compress(GOOD + frame('[[2,"' + "".join(map(chr, range(300, 900))) + '"]]'))
    status, out, err = decode(compressed[:-50])
    assert (status, out) == (1, '1 "ä"\n')
    assert err.startswith("gaechannel: FILE, after byte ")
    assert err.count("\n") == 1


def test_a_file_that_is_not_there_is_one_line_and_status_1(run, tmp_path):
    status, out, err = run("decode", str(tmp_path / "body"))
    assert (status, out, err) == (1, "", f"gaechannel: {tmp_path}/body: No such file or directory\n")


def test_a_reader_that_goes_is_no_error(start, tmp_path):
    file = tmp_path / "body"
    file.write_bytes(b"".join(frame(f'[[{number},"{"x" * 500}"]]') for number in range(1000)))
    process = start("decode", str(file))
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(timeout=30) == 0
    assert process.stderr.read() == ""
