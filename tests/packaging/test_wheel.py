"""The wheel: what is in it, and what it can be loaded by."""

import shutil
import subprocess
import sys
import sysconfig
import zipfile
from email.parser import BytesParser

import abi3info
import pytest
from abi3info.models import PyVersion, Symbol

# The oldest CPython that the wheel says it is for.
OLDEST = PyVersion(3, 11)

stable_abi = pytest.mark.skipif(
    bool(sysconfig.get_config_var("Py_GIL_DISABLED")), reason="free-threaded builds have no stable ABI"
)


@pytest.fixture(scope="session")
def installed(wheel, tmp_path_factory):
    """A folder with the wheel's contents, as an installer would leave them in site-packages."""
    folder = tmp_path_factory.mktemp("installed")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture(scope="session")
def metadata(installed):
    (path,) = installed.glob("*.dist-info/METADATA")
    return BytesParser().parsebytes(path.read_bytes())


def evaluate(expression, installed):
    """What the installed package has to say about `expression`, in an interpreter with no other packages."""
    program = f"import sys; sys.path.insert(0, {str(installed)!r}); import gaechannel; print({expression})"
    command = [sys.executable, "-I", "-S", "-c", program]
    return subprocess.check_output(command, cwd=installed.parent, text=True).strip()


@stable_abi
def test_wheel_is_for_every_cpython_from_3_11(wheel):
    assert "-cp311-abi3-" in wheel.name


@stable_abi
@pytest.mark.skipif(not shutil.which("nm"), reason="no nm")
def test_core_uses_only_the_stable_abi_of_the_oldest_cpython(installed):
    (core,) = installed.glob("gaechannel/_core.abi3.so")
    output = subprocess.check_output(["nm", "--dynamic", "--undefined-only", core], text=True)
    used = [Symbol(line.split()[-1]) for line in output.splitlines()]
    used = [symbol for symbol in used if symbol.name.startswith(("Py", "_Py"))]
    assert used

    known = {**abi3info.FUNCTIONS, **abi3info.DATAS}
    assert [s.name for s in used if s not in known or known[s].added > OLDEST] == []


@pytest.mark.skipif(not shutil.which("nm"), reason="no nm")
def test_core_exports_nothing_but_its_init_function(installed):
    (core,) = installed.glob("gaechannel/_core.*.so")
    output = subprocess.check_output(["nm", "--dynamic", "--defined-only", "--extern-only", core], text=True)
    assert [line.split()[-1] for line in output.splitlines()] == ["PyInit__core"]


def test_wheel_holds_the_package_with_its_types_and_no_sources(installed):
    files = {str(path.relative_to(installed)) for path in installed.rglob("*") if path.is_file()}
    assert {"gaechannel/__init__.py", "gaechannel/py.typed", "gaechannel/_core.pyi"} <= files
    assert {path.split("/")[0] for path in files if ".dist-info" not in path} == {
        "gaechannel",
        "gae_channel.py",
    }
    assert [path for path in files if path.endswith((".c", ".h"))] == []


def test_wheel_works_where_there_is_nothing_else(installed):
    assert evaluate("gaechannel.__file__", installed).startswith(str(installed))


def test_metadata_names_licence_python_and_extras(metadata):
    assert metadata["License-Expression"] == "LGPL-3.0-or-later"
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata.get_all("License-File") == ["LICENSE", "COPYING"]
    assert {"server", "test", "lint", "docs", "bench"} <= set(metadata.get_all("Provides-Extra"))
    requirements = [line for line in metadata.get_all("Requires-Dist") if "extra ==" not in line]
    assert requirements == [], "the client needs nothing but libcurl"


def test_wheel_has_the_command(installed):
    (path,) = installed.glob("*.dist-info/entry_points.txt")
    assert "gaechannel = gaechannel.cli:main" in path.read_text()


def test_package_and_metadata_name_the_same_version(installed, metadata):
    assert evaluate("gaechannel.__version__", installed) == metadata["Version"]
