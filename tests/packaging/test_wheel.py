"""The wheel: what is in it, and what it can be loaded by."""

import subprocess
import sys
import zipfile
from email.parser import BytesParser

import abi3info
import packaging.tags
import packaging.utils
import pytest
from abi3info.models import PyVersion, Symbol
from elftools.elf.elffile import ELFFile

# To build one takes its time on a busy machine.
pytestmark = pytest.mark.timeout(600)

# The oldest CPython that the wheel says it is for.
OLDEST = PyVersion(3, 11)

elf = pytest.mark.skipif(sys.platform == "darwin", reason="no ELF")


@pytest.fixture
def stable_abi(wheel):
    """A test is of wheels for all CPythons from the oldest on."""
    (tag, *_) = packaging.utils.parse_wheel_filename(wheel.name)[3]
    if tag.abi.endswith("t"):
        pytest.skip("free-threaded builds have no stable ABI")


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


@pytest.fixture(scope="session")
def symbols(installed):
    """The names that the extension module needs, and those that it defines: two lists."""
    (core,) = installed.glob("gaechannel/_core.*so")
    with core.open("rb") as file:
        table = ELFFile(file).get_section_by_name(".dynsym")
        found = [(symbol.name, symbol["st_shndx"] == "SHN_UNDEF") for symbol in table.iter_symbols()]
    return [name for name, needed in found if name and needed], [name for name, needed in found if not needed]


@pytest.fixture(scope="session")
def evaluate(wheel, installed):
    """Returns a function: what the installed package has to say, in an interpreter with no other packages."""
    tags = packaging.utils.parse_wheel_filename(wheel.name)[3]
    if tags.isdisjoint(packaging.tags.sys_tags()):
        pytest.skip(f"{wheel.name} is not for this machine")

    def evaluate(expression):
        program = (
            f"import sys; sys.path.insert(0, {str(installed)!r}); import gaechannel; print({expression})"
        )
        command = [sys.executable, "-I", "-S", "-c", program]
        return subprocess.check_output(command, cwd=installed.parent, text=True).strip()

    return evaluate


@pytest.mark.usefixtures("stable_abi")
def test_wheel_is_for_every_cpython_from_3_11(wheel):
    assert "-cp311-abi3-" in wheel.name


@pytest.mark.usefixtures("stable_abi")
@elf
def test_core_uses_only_the_stable_abi_of_the_oldest_cpython(symbols):
    needed, _ = symbols
    used = [Symbol(name) for name in needed if name.startswith(("Py", "_Py"))]
    assert used

    known = {**abi3info.FUNCTIONS, **abi3info.DATAS}
    assert [s.name for s in used if s not in known or known[s].added > OLDEST] == []


@elf
def test_core_exports_nothing_but_its_init_function(symbols):
    _, defined = symbols
    assert defined == ["PyInit__core"]


def test_wheel_holds_the_package_with_its_types_and_no_sources(installed):
    files = {str(path.relative_to(installed)) for path in installed.rglob("*") if path.is_file()}
    assert {"gaechannel/__init__.py", "gaechannel/py.typed", "gaechannel/_core.pyi"} <= files
    assert {path.split("/")[0] for path in files if ".dist-info" not in path} == {
        "gaechannel",
        "gae_channel",
    }
    assert [path for path in files if path.endswith((".c", ".h"))] == []


def test_wheel_works_where_there_is_nothing_else(evaluate, installed):
    assert evaluate("gaechannel.__file__").startswith(str(installed))


def test_metadata_names_licence_python_and_extras(metadata):
    assert metadata["License-Expression"].split(" AND ")[0] == "LGPL-3.0-or-later"
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata.get_all("License-File")[:2] == ["LICENSE", "COPYING"]
    assert {"server", "test", "lint", "docs", "bench"} <= set(metadata.get_all("Provides-Extra"))
    requirements = [line for line in metadata.get_all("Requires-Dist") if "extra ==" not in line]
    assert requirements == [], "the client needs nothing but libcurl"


def test_metadata_says_who_and_for_which_pythons(metadata):
    assert metadata["Author"]
    classifiers = metadata.get_all("Classifier")
    assert {f"Programming Language :: Python :: 3.{minor}" for minor in range(11, 15)} <= set(classifiers)


def test_wheel_has_the_command(installed):
    (path,) = installed.glob("*.dist-info/entry_points.txt")
    assert "gaechannel = gaechannel.cli:main" in path.read_text()


def test_package_and_metadata_name_the_same_version(evaluate, metadata):
    assert evaluate("gaechannel.__version__") == metadata["Version"]
