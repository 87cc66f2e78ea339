"""A build on a machine that lacks something says so in one line, and says what to install."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

LIBCURL_PACKAGES = ["libcurl4-openssl-dev", "libcurl-devel", "curl-dev", "brew install curl"]


@pytest.fixture
def bin_directory(tmp_path):
    """A folder in front of everything on PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    return folder


@pytest.fixture
def build_message(tree, tmp_path, bin_directory):
    """Returns a function that fails to build the extension and returns the one line that says why.

    It takes a line of Python to be run before, and variables for the environment.
    """

    def build_message(before="", **environment):
        path = f"{bin_directory}{os.pathsep}{os.environ['PATH']}"
        # What is asked of sysconfig is of this system, whatever is said of it after that.
        program = f"""if True:
            import runpy, sys, sysconfig, setuptools
            sysconfig.get_config_vars()
            {before}
            runpy.run_path("setup.py", run_name="__main__")
        """
        arguments = ["-q", "build_ext", "--build-temp", tmp_path, "--build-lib", tmp_path]
        done = subprocess.run(
            [sys.executable, "-c", program, *arguments],
            cwd=tree,
            env={**os.environ, "PATH": path, **environment},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 1
        (line,) = done.stderr.splitlines()
        assert line.startswith("gaechannel: ")
        return line

    return build_message


def write_program(path, text):
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)


def test_no_libcurl(build_message, bin_directory):
    write_program(bin_directory / "pkg-config", "exit 1\n")
    write_program(bin_directory / "curl-config", "exit 1\n")
    message = build_message(PKG_CONFIG="")
    assert "libcurl >= 7.88.0 was not found" in message
    assert all(package in message for package in LIBCURL_PACKAGES)


def test_curl_config_does_where_there_is_no_pkg_config(build_message, bin_directory, tmp_path):
    write_program(bin_directory / "pkg-config", "exit 1\n")
    write_program(bin_directory / "curl-config", f"echo -I{tmp_path}/elsewhere\n")
    (tmp_path / "elsewhere" / "curl").mkdir(parents=True)
    (tmp_path / "elsewhere" / "curl" / "curl.h").write_text("#error reached\n")
    assert "libcurl's headers were not found" in build_message(PKG_CONFIG="")


def test_old_libcurl(build_message, bin_directory, tmp_path):
    write_program(bin_directory / "pkg-config", f"echo -I{tmp_path}/old\n")
    (tmp_path / "old" / "curl").mkdir(parents=True)
    (tmp_path / "old" / "curl" / "curl.h").write_text("#define LIBCURL_VERSION_NUM 0x075701\n")
    message = build_message(PKG_CONFIG="")
    assert "older than 7.88.0" in message
    assert all(package in message for package in LIBCURL_PACKAGES)


def test_no_libcurl_where_one_is_said_to_be(build_message, tmp_path):
    message = build_message(GAECHANNEL_LIBCURL=str(tmp_path / "nowhere"))
    assert f"GAECHANNEL_LIBCURL={tmp_path}/nowhere" in message
    assert "to use the system's libcurl" in message


def test_shared_libcurl_where_a_static_one_is_said_to_be(build_message, tmp_path):
    (tmp_path / "bin").mkdir(exist_ok=True)
    write_program(tmp_path / "bin" / "curl-config", '[ "$1" = --cflags ]\n')
    assert "does not tell of a static libcurl" in build_message(GAECHANNEL_LIBCURL=str(tmp_path))


def test_no_zlib(build_message, bin_directory):
    write_program(bin_directory / "cc-without-zlib", 'case "$(cat)" in *zlib.h*) exit 1;; esac\n')
    message = build_message(CC=str(bin_directory / "cc-without-zlib"))
    assert "zlib's headers were not found" in message
    assert all(package in message for package in ["zlib1g-dev", "zlib-devel", "zlib-dev"])


def test_no_c_compiler(build_message):
    message = build_message(CC="/nonexistent/cc")
    assert "no C compiler was found; what a build needs comes by `apt install" in message
    commands = re.findall("`(.*?)`", message)
    assert len(commands) == 5
    manual = (Path(__file__).resolve().parents[2] / "docs" / "install.rst").read_text(encoding="utf-8")
    assert [command for command in commands if f"``{command}``" not in manual] == []


def test_broken_c_compiler(build_message, bin_directory):
    write_program(bin_directory / "failing-cc", "exit 1\n")
    message = build_message(CC=str(bin_directory / "failing-cc"))
    assert "no working C compiler" in message


def test_no_python_headers(build_message, bin_directory):
    write_program(bin_directory / "cc-without-python", 'case "$(cat)" in *Python.h*) exit 1;; esac\n')
    message = build_message(CC=str(bin_directory / "cc-without-python"))
    assert "Python.h was not found" in message
    assert "python3-dev" in message


@pytest.mark.parametrize(
    ("before", "problem", "remedy"),
    [
        ("sys.platform = 'win32'", "Windows is not supported", "WSL"),
        ("sys.implementation.name = 'pypy'", "pypy is not supported", "CPython 3.11"),
    ],
)
def test_a_system_that_it_is_not_for(build_message, before, problem, remedy):
    message = build_message(before)
    assert problem in message
    assert remedy in message
