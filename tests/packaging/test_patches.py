"""What upstreams have mended, and no crate has yet, goes into the wheels' libcurl from wheels/patches."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

PATCH = """--- a/lib/hole.c
+++ b/lib/hole.c
@@ -1,3 +1,3 @@
 before
-broken
+mended
 behind
"""

# The files of the four sources that wheels/libcurl looks at by itself.
SOURCES = {
    "libz-sys/src/zlib/LICENSE": "zlib's",
    "libz-sys/src/zlib/zlib.h": '#define ZLIB_VERSION "1.2"\n',
    "libz-sys/src/zlib/zconf.h": "",
    "libz-sys/src/zlib/any.c": "",
    "libnghttp2-sys/nghttp2/COPYING": "nghttp2's",
    "libnghttp2-sys/nghttp2/CMakeLists.txt": "project(nghttp2 VERSION 3.4.5)\n",
    "aws-lc-sys/aws-lc/LICENSE": "aws-lc's",
    "aws-lc-sys/aws-lc/CMakeLists.txt": 'set(SOFTWARE_VERSION "6.7.8")\n',
    "curl-sys/curl/COPYING": "curl's",
    "curl-sys/curl/LICENSES/ISC.txt": "ISC",
    "curl-sys/curl/include/curl/curlver.h": '#define LIBCURL_VERSION "9.1.0-DEV"\n',
    "curl-sys/curl/lib/hole.c": "before\nbroken\nbehind\n",
}

# In the places of what would compile: the last one keeps what would have been compiled.
PROGRAMS = {
    "python": f'#!/bin/sh\n[ "$1" != -m ] || {{ echo 0; exit; }}\nexec {sys.executable} "$@"\n',
    "cc": "#!/bin/sh\n: >any.o\n",
    "cmake": "#!/bin/sh\n",
    "ninja": '#!/bin/sh\n[ ! -e lib/hole.c ] || cp lib/hole.c "$KEEP"\n',
}


@pytest.fixture
def tree(tmp_path):
    """A copy of what builds libcurl, with sources beside it that take no time."""
    for folder in (".ci", "wheels"):
        shutil.copytree(ROOT / folder, tmp_path / "tree" / folder)
    shutil.rmtree(tmp_path / "tree" / "wheels" / "patches", ignore_errors=True)
    for name, text in SOURCES.items():
        path = tmp_path / "sources" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    programs = tmp_path / "tree" / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name, text in PROGRAMS.items():
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    return tmp_path / "tree"


@pytest.fixture
def environment(tree, tmp_path):
    return {
        **os.environ,
        "CC": str(tree / ".venv" / "bin" / "cc"),
        "CXX": "c++",
        "AR": "true",
        "RANLIB": "true",
        "KEEP": str(tmp_path / "compiled"),
        "GAECHANNEL_CACHE": str(tmp_path / "cache"),
        "SOURCE_DATE_EPOCH": "1700000000",
    }


@pytest.fixture
def patch(tree):
    """Returns a function that puts a patch there."""

    def patch(text, part="curl"):
        path = tree / "wheels" / "patches" / part / "CVE-2026-1.patch"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    return patch


@pytest.fixture
def build(tree, environment, tmp_path):
    """Returns a function that runs wheels/libcurl."""
    if shutil.which("patch") is None:
        pytest.skip("patch is not installed: .ci/packages test does")

    def build():
        command = [
            tree / "wheels" / "libcurl",
            "manylinux_2_17_x86_64",
            tmp_path / "sources",
            tmp_path / "made",
        ]
        return subprocess.run(command, env=environment, capture_output=True, text=True)

    return build


def bill(prefix, tmp_path):
    """The list of parts of a wheel with what was made in a folder."""
    wheel = tmp_path / "it-1-cp311-abi3-manylinux_2_17_x86_64.whl"
    contents = {
        "it-1.dist-info/METADATA": "License-Expression: MIT\nLicense-File: LICENSE\nName: it\n",
        "it-1.dist-info/WHEEL": "Tag: cp311-abi3-manylinux_2_17_x86_64\n",
        "it-1.dist-info/RECORD": "",
    }
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in contents.items():
            archive.writestr(name, text)
    environment = {**os.environ, "SOURCE_DATE_EPOCH": "1700000000"}
    subprocess.run(
        [sys.executable, ROOT / "wheels" / "finish.py", "wheel", wheel, prefix], env=environment, check=True
    )
    (finished,) = tmp_path.glob("it-*.whl")
    with zipfile.ZipFile(finished) as archive:
        return archive.read("it-1.dist-info/sboms/it.cdx.json").decode()


def test_a_patch_is_in_what_is_compiled_and_in_the_list_of_parts(patch, build, tmp_path):
    patch(PATCH)
    done = build()
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "compiled").read_text() == "before\nmended\nbehind\n"
    listed = bill(tmp_path / "made", tmp_path)
    parts = {part["name"]: part["pedigree"] for part in json.loads(listed)["components"]}
    assert [each["resolves"] for each in parts.pop("curl")["patches"]] == [
        [{"type": "security", "id": "CVE-2026-1"}]
    ]
    assert set(parts) == {"zlib", "nghttp2", "aws-lc"}
    assert not any("patches" in pedigree for pedigree in parts.values())
    validation = pytest.importorskip("cyclonedx.validation.json", reason="no cyclonedx: .ci/setup wheels")
    schema = pytest.importorskip("cyclonedx.schema", reason="no cyclonedx: .ci/setup wheels")
    assert validation.JsonStrictValidator(schema.SchemaVersion.V1_6).validate_str(listed) is None


def test_without_patches_it_is_what_the_crate_has(build, tmp_path):
    done = build()
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "compiled").read_text() == "before\nbroken\nbehind\n"
    assert '"patches"' not in bill(tmp_path / "made", tmp_path)


def test_a_patch_that_does_not_fit_ends_the_build(patch, build, tmp_path):
    patch(PATCH.replace("-broken", "-otherwise"))
    done = build()
    assert done.returncode == 1
    assert "curl could not be built" in done.stderr
    assert not (tmp_path / "made" / "complete").exists()


def test_a_patch_of_no_part_ends_the_build(patch, build):
    patch(PATCH, part="libcurl")
    done = build()
    assert done.returncode == 1
    assert "wheels/patches/libcurl" in done.stderr


def test_what_was_kept_is_of_the_same_patches(patch, tree, environment):
    def kept():
        script = f". {tree}/wheels/lib; libcurl_for manylinux_2_17_x86_64"
        return subprocess.check_output(["bash", "-c", script], env=environment, cwd=tree, text=True)

    without = kept()
    patch(PATCH)
    first = kept()
    patch(PATCH.replace("+mended", "+mended better"))
    second = kept()
    assert len({without, first, second}) == 3
    patch(PATCH)
    assert kept() == first
