"""The wheels for macOS: whether their configuration is read as it is meant, and the C code compiles there."""

import importlib.util
import subprocess
import sys
import sysconfig
from dataclasses import replace
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

if not any(map(importlib.util.find_spec, ("cibuildwheel", "ziglang"))):
    pytest.skip(
        "neither cibuildwheel nor ziglang: .ci/setup lint wheels installs them", allow_module_level=True
    )

needs_zig = pytest.mark.skipif(
    importlib.util.find_spec("ziglang") is None, reason="no ziglang: .ci/setup wheels installs it"
)


@pytest.fixture(params=["arm64", "x86_64"])
def machine(request):
    return request.param


@pytest.fixture
def options(machine):
    """cibuildwheel's options for the one wheel that it builds on such a machine."""
    cibuildwheel = pytest.importorskip("cibuildwheel.options", reason="no cibuildwheel: .ci/setup lint")
    arguments = cibuildwheel.CommandLineArguments.defaults()
    arguments = replace(arguments, platform="macos", archs=machine, package_dir=ROOT)
    return cibuildwheel.compute_options("macos", arguments, env={})


def test_one_wheel_a_machine_is_built(machine, options):
    from cibuildwheel.platforms.macos import get_python_configurations

    configurations = get_python_configurations(options.globals.build_selector, options.globals.architectures)
    assert [each.identifier for each in configurations] == [f"cp311-macosx_{machine}"]


def test_it_is_linked_with_the_libcurl_that_is_built_before(machine, options):
    wanted = options.build_options(f"cp311-macosx_{machine}")
    environment = {each.name: str(each) for each in wanted.environment.assignments}
    assert "wheels/libcurl macosx_11_0_$(uname -m) build/sources build/libcurl" in wanted.before_all
    assert "build/libcurl" in environment["GAECHANNEL_LIBCURL"]
    assert "11.0" in environment["MACOSX_DEPLOYMENT_TARGET"]
    assert "wheels/finish.py wheel {dest_dir}/*.whl build/libcurl" in wanted.repair_command
    assert "pytest tests" in wanted.test_command
    assert all((ROOT / source).exists() for source in wanted.test_sources)


@pytest.fixture
def headers(tmp_path):
    """The flags for ours, for Python's, libcurl's and zlib's headers, without this system's beside those.

    The other systems' own Pythons and libraries are not here; what their headers ask of the machine is the
    same on all that have 64 bits.
    """
    (tmp_path / "include").mkdir()
    for library, names in {"libcurl": ["curl"], "zlib": ["zlib.h", "zconf.h"]}.items():
        ask = ["pkg-config", "--variable=includedir", library]
        folder = Path(subprocess.run(ask, capture_output=True, text=True).stdout.strip())
        for name in names:
            if not folder.is_absolute() or not (folder / name).exists():
                pytest.skip(f"pkg-config does not know where {library}'s headers are")
            (tmp_path / "include" / name).symlink_to(folder / name)
    others = [tmp_path / "include", sysconfig.get_path("include")]
    return [f"-I{ROOT / 'csrc'}", *(word for path in others for word in ("-isystem", path))]


@needs_zig
@pytest.mark.timeout(600)
@pytest.mark.parametrize("target", ["aarch64-macos", "x86_64-macos", "x86_64-freebsd", "x86_64-netbsd"])
def test_core_compiles_without_warnings(target, headers, tmp_path):
    flags = ["-std=c11", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror", "-D_GNU_SOURCE=1"]
    defined = ["-DPy_LIMITED_API=0x030B0000", '-DGAECHANNEL_VERSION="0"']
    # All in one, since the compiler takes its time to start.
    sources = sorted((ROOT / "csrc").rglob("*.c"))
    assert sources
    command = [
        sys.executable,
        "-m",
        "ziglang",
        "cc",
        "-target",
        target,
        "-c",
        *flags,
        *defined,
        *headers,
        *sources,
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
