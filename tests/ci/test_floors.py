"""What the guard of the floors (.ci/floors.py) finds in a small house, and what it lets pass."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

GUARD = Path(__file__).resolve().parents[2] / ".ci/floors.py"

# A house of two C files and two modules in which everything goes downwards.
SOUND = {
    "csrc/wire/low.h": "int low(void);\n",
    "csrc/wire/low.c": '#include "low.h"\nint low(void) { return 1; }\n',
    "csrc/session/high.c": '#include "wire/low.h"\nint high(void);\nint high(void) { return low(); }\n',
    "gaechannel/__init__.py": "from gaechannel import _core\n",
    "gaechannel/low.py": "",
    "gaechannel/high.py": "from gaechannel import low\n",
    ".ci/circles": "# none\n",
}


@pytest.fixture
def judge(tmp_path):
    """A function that builds a house, and returns the guard's status, and what it prints and says."""

    def build_and_ask(changes):
        for name, text in {**SOUND, **changes}.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        compiler = shlex.split(os.environ.get("CC", "cc"))
        for source in (tmp_path / "csrc").rglob("*.c"):
            made = tmp_path / "objects" / source.relative_to(tmp_path).with_suffix(".o")
            made.parent.mkdir(parents=True, exist_ok=True)
            subprocess.run([*compiler, "-I", tmp_path / "csrc", "-c", source, "-o", made], check=True)
        done = subprocess.run(
            [sys.executable, GUARD, "--root", tmp_path, "--objects", "objects"],
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    return build_and_ask


def test_a_sound_house_passes_and_is_drawn(judge):
    status, drawn, said = judge({})
    assert (status, said) == (0, "")
    assert drawn.splitlines() == [
        "csrc/session",
        "   1  high",
        "",
        "csrc/wire",
        "   1  low",
        "",
        "gaechannel: the tops",
        "   1  __init__",
        "",
        "gaechannel",
        "   2  high",
        "   1  low",
        "",
    ]


def test_a_drawing_that_is_out_of_date_fails(judge):
    _, drawn, _ = judge({})
    status, _, said = judge({"docs/floors.txt": drawn.replace("high", "higher")})
    assert (status, said) == (
        1,
        "floors: docs/floors.txt is not what the code says any more: .ci/floors --write\n",
    )
    assert judge({"docs/floors.txt": drawn.removesuffix("\n")})[0] == 0


def test_a_circle_of_calls_fails(judge):
    status, _, said = judge(
        {
            "csrc/wire/one.c": "int two(void);\nint one(void);\nint one(void) { return two(); }\n",
            "csrc/wire/two.c": "int two(void);\nint one(void);\nint two(void) { return one(); }\n",
        }
    )
    assert (status, said) == (1, "floors: a new circle: csrc/wire/one csrc/wire/two\n")


def test_a_circle_through_a_header_and_data_fails(judge):
    status, _, said = judge(
        {
            "csrc/wire/one.h": "extern int one;\n",
            "csrc/wire/one.c": "extern int two[];\nint *one_of(void);\nint *one_of(void) { return two; }\n",
            "csrc/wire/two.c": '#include "one.h"\nint two[2];\n',
        }
    )
    assert (status, said) == (1, "floors: a new circle: csrc/wire/one csrc/wire/two\n")


@pytest.mark.parametrize(
    "text",
    [
        "int high(void);\nint low(void) { return high(); }\n",
        '#include "session/high.h"\nint low(void) { return 1; }\n',
    ],
)
def test_an_arrow_from_a_folder_to_a_higher_one_fails(judge, text):
    high = "#ifndef HIGH\n#define HIGH\n#endif\n"
    status, _, said = judge(
        {
            "csrc/wire/low.c": text,
            "csrc/session/high.h": high,
            "csrc/session/high.c": "int high(void) { return 1; }\n",
        }
    )
    assert (status, said) == (1, "floors: upward: csrc/wire/low uses csrc/session/high\n")


def test_a_circle_of_imports_fails_even_inside_functions(judge):
    status, _, said = judge({"gaechannel/low.py": "def ask():\n    import gaechannel.high\n"})
    assert (status, said) == (1, "floors: a new circle: gaechannel/high gaechannel/low\n")


@pytest.mark.parametrize(
    ("module", "text", "fault"),
    [
        ("low", "from gaechannel.server import app\n", "upward: gaechannel/low uses gaechannel/server/app"),
        (
            "server/core/rules",
            "from ..http import app\n",
            "upward: gaechannel/server/core/rules uses gaechannel/server/http/app",
        ),
        (
            "server/core/rules",
            "from gaechannel import low\n",
            "the server is to stand alone: gaechannel/server/core/rules uses gaechannel/low",
        ),
        (
            "_checks",
            "from gaechannel import low\n",
            "what client and server share is to stand alone: gaechannel/_checks uses gaechannel/low",
        ),
    ],
)
def test_modules_that_use_what_they_must_not_fail(judge, module, text, fault):
    house = {f"gaechannel/server/{folder}__init__.py": "" for folder in ("", "core/", "http/")}
    house |= {"gaechannel/server/app.py": "", "gaechannel/server/http/app.py": ""}
    status, _, said = judge({**house, f"gaechannel/{module}.py": text})
    assert (status, said) == (1, f"floors: {fault}\n")


CIRCLE = {"gaechannel/low.py": "import gaechannel.high\n"}


def test_a_listed_circle_passes(judge):
    status, _, said = judge({**CIRCLE, ".ci/circles": "gaechannel/low gaechannel/high\n"})
    assert (status, said) == (0, "")


def test_a_listed_circle_that_is_gone_fails(judge):
    status, _, said = judge({".ci/circles": "gaechannel/low gaechannel/high\n"})
    assert (status, said) == (1, "floors: listed, but no circle any more: gaechannel/high gaechannel/low\n")


def test_a_listed_circle_that_has_grown_or_shrunk_fails(judge):
    more = {"gaechannel/high.py": "import gaechannel.low\nimport gaechannel.top\n", "gaechannel/top.py": ""}
    grown = judge(
        {
            **CIRCLE,
            **more,
            "gaechannel/top.py": "import gaechannel.high\n",
            ".ci/circles": "gaechannel/low gaechannel/high\n",
        }
    )
    assert grown[0] == 1
    assert "a new circle: gaechannel/high gaechannel/low gaechannel/top" in grown[2]
    shrunk = judge({**CIRCLE, **more, ".ci/circles": "gaechannel/low gaechannel/high gaechannel/top\n"})
    assert shrunk[0] == 1
    assert "its line is to be gaechannel/high gaechannel/low" in shrunk[2]


def test_an_object_that_is_not_there_is_said(judge, tmp_path):
    judge({})
    (tmp_path / "objects/csrc/wire/low.o").unlink()
    done = subprocess.run(
        [sys.executable, GUARD, "--root", tmp_path, "--objects", "objects"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "csrc/wire/low.o is missing" in done.stderr
