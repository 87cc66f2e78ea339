"""Builds the C programs that stand beside this file."""

import os
import pathlib
import shlex
import subprocess

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parents[1]
BUILD = ROOT / "build" / "bench"


def program(name: str, *flags: str) -> str:
    """The path of the program made from NAME.c, built if it is older than its source."""
    source, target = HERE / f"{name}.c", BUILD / name
    if not target.exists() or target.stat().st_mtime < source.stat().st_mtime:
        BUILD.mkdir(parents=True, exist_ok=True)
        compiler = shlex.split(os.environ.get("CC") or "cc")
        subprocess.run(
            [*compiler, "-std=c11", "-D_GNU_SOURCE", "-O2", "-pthread", source, *flags, "-o", target],
            check=True,
        )
    return str(target)


def curl_flags() -> list[str]:
    """How a program is linked with the libcurl that the package is built with."""
    for command in (["pkg-config", "--cflags", "--libs", "libcurl"], ["curl-config", "--cflags", "--libs"]):
        try:
            return shlex.split(subprocess.check_output(command, text=True, stderr=subprocess.DEVNULL))
        except (OSError, subprocess.CalledProcessError):
            continue
    raise SystemExit("bench: neither pkg-config nor curl-config knows libcurl")
