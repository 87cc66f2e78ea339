"""A wheel that `make wheels` has built, which GAECHANNEL_WHEEL names: it brings its own libcurl."""

import base64
import csv
import hashlib
import io
import json
import os
import re
import subprocess
import sys
import zipfile
from email.parser import BytesParser

import pytest
from elftools.elf.constants import P_FLAGS
from elftools.elf.elffile import ELFFile
from elftools.elf.enums import ENUM_DT_FLAGS

if not os.environ.get("GAECHANNEL_WHEEL"):
    pytest.skip("GAECHANNEL_WHEEL names no wheel: see `make wheels`", allow_module_level=True)

LIMIT_BYTES = 2_500_000

# The C library, by the names that its loaders have for it.
C_LIBRARIES = {
    "manylinux": {"libc.so.6", "libdl.so.2", "libpthread.so.0"},
    "musllinux": {"libc.musl-x86_64.so.1", "libc.musl-aarch64.so.1"},
}


@pytest.fixture(scope="module")
def files(wheel):
    """The bytes of the wheel's files, by their names; those of the metadata by their names in its folder."""
    with zipfile.ZipFile(wheel) as archive:
        return {name.removeprefix(f"{info(wheel)}/"): archive.read(name) for name in archive.namelist()}


def info(wheel):
    return "-".join(wheel.name.split("-")[:2]) + ".dist-info"


def tags_of(wheel):
    """Which Pythons and which ABI it is for, as its file's name says."""
    return "-".join(wheel.stem.split("-")[2:4])


def platform_of(wheel):
    """The last of its platform's names, which is the newest."""
    return wheel.stem.split("-")[-1].split(".")[-1]


@pytest.fixture(scope="module")
def core(files):
    (place,) = (name for name in files if re.fullmatch(r"gaechannel/_core\..*\.so", name))
    return files[place]


@pytest.fixture(scope="module")
def elf(core):
    """The extension module, read."""
    return ELFFile(io.BytesIO(core))


@pytest.fixture(scope="module")
def bill(files):
    return json.loads(files["sboms/gaechannel.cdx.json"])


def test_it_is_small(wheel):
    assert wheel.stat().st_size <= LIMIT_BYTES


def test_core_does_not_tell_when_what_is_linked_in_was_built(core):
    # Else a wheel would differ by which commit had first needed the libraries that are kept.
    months = b"Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec"
    assert re.findall(rb"(?:%s) [ 0-3]\d (?:19|20)\d\d" % months, core) == []
    assert b"built on" not in core


def test_core_needs_the_c_library_alone(wheel, elf):
    tags = list(elf.get_section_by_name(".dynamic").iter_tags())
    needed = {tag.needed for tag in tags if tag.entry.d_tag == "DT_NEEDED"}
    assert needed
    assert needed <= C_LIBRARIES[platform_of(wheel).split("_")[0]]
    assert [tag for tag in tags if tag.entry.d_tag in ("DT_RPATH", "DT_RUNPATH")] == []


@pytest.fixture(scope="module")
def needed(elf):
    """The functions and data that it must find elsewhere, each with whether it says of which version."""
    symbols = list(elf.get_section_by_name(".dynsym").iter_symbols())
    versions = elf.get_section_by_name(".gnu.version")
    return {
        symbol.name: versions is not None and versions.get_symbol(index)["ndx"] != "VER_NDX_GLOBAL"
        for index, symbol in enumerate(symbols)
        if symbol["st_shndx"] == "SHN_UNDEF" and symbol["st_info"]["bind"] == "STB_GLOBAL"
    }


def test_core_lacks_nothing_of_the_compilers_runtime(wheel, needed):
    others = {
        name for name, versioned in needed.items() if not versioned and not name.startswith(("Py", "_Py"))
    }
    if platform_of(wheel).startswith("musl"):
        # musl has no versions, and few names that begin as all of a compiler's do.
        others = {name for name in others if name.startswith("__")}
        others -= {"__errno_location", "__stack_chk_fail", "__stack_chk_guard"}
    assert others == set()


def test_core_copies_and_compares_by_the_c_library(wheel, needed):
    if not platform_of(wheel).endswith("x86_64"):
        pytest.skip("aarch64 needs the compiler's runtime, which has its own")
    assert {"memcpy", "memmove", "memset", "strlen"} <= needed.keys()
    assert {"memcmp", "bcmp"} & needed.keys()


def test_core_loads_where_pages_are_large(wheel, elf):
    # 16 KiB on a Raspberry Pi 5, 64 KiB on some servers of ARM's: a loader refuses what is aligned to less.
    aligned_to = {segment["p_align"] for segment in elf.iter_segments("PT_LOAD")}
    assert min(aligned_to) >= (0x10000 if wheel.stem.endswith("aarch64") else 0x1000)


def test_core_asks_for_nothing_that_loaders_refuse(elf):
    # glibc, since 2.41, what wants an executable stack; any, beside other libraries, what has thread-local
    # variables that are found without a call.
    (stack,) = elf.iter_segments("PT_GNU_STACK")
    assert not stack["p_flags"] & P_FLAGS.PF_X
    flags = [tag.entry.d_val for tag in elf.get_section_by_name(".dynamic").iter_tags("DT_FLAGS")]
    assert not any(value & ENUM_DT_FLAGS["DF_STATIC_TLS"] for value in flags)


def test_core_is_hardened(elf):
    tags = list(elf.get_section_by_name(".dynamic").iter_tags())
    assert any(elf.iter_segments("PT_GNU_RELRO"))
    assert any(
        tag.entry.d_tag == "DT_FLAGS" and tag.entry.d_val & ENUM_DT_FLAGS["DF_BIND_NOW"] for tag in tags
    )
    assert not any(tag.entry.d_tag == "DT_TEXTREL" for tag in tags)


def test_core_is_stripped_and_names_no_folder_of_the_machine_that_built_it(core, elf):
    sections = {section.name for section in elf.iter_sections()}
    assert sections.isdisjoint({".symtab", ".debug_info"})
    assert re.findall(rb"/(?:root|home|tmp|work|var/cache)/[\w./-]*", core) == []


def test_auditwheel_finds_what_its_name_says(wheel):
    pytest.importorskip("auditwheel", reason="no auditwheel: .ci/setup wheels")
    command = [sys.executable, "-m", "auditwheel", "show", wheel]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert f'"{platform_of(wheel)}"' in " ".join(done.stdout.split())


def test_its_platform_is_also_known_by_its_older_name(wheel, files):
    # pip --platform manylinux2014_x86_64 looks for no other.
    *_, tags = wheel.stem.split("-")
    older = platform_of(wheel).replace("manylinux_2_17_", "manylinux2014_")
    platforms = sorted({older, platform_of(wheel)})
    assert tags.split(".") == platforms
    lines = files["WHEEL"].decode().splitlines()
    assert [line for line in lines if line.startswith("Tag: ")] == [
        f"Tag: {tags_of(wheel)}-{each}" for each in platforms
    ]


def test_a_free_threaded_cpython_finds_core_by_its_name(wheel, files):
    python, abi = tags_of(wheel).split("-")
    if abi == "abi3":
        pytest.skip("for those with a GIL")
    machine = platform_of(wheel).removeprefix("manylinux_2_17_").removeprefix("musllinux_1_2_")
    library = "gnu" if platform_of(wheel).startswith("manylinux") else "musl"
    assert abi == f"{python}t"
    assert f"gaechannel/_core.cpython-{python.removeprefix('cp')}t-{machine}-linux-{library}.so" in files


def test_abi3audit_finds_nothing(wheel):
    if not tags_of(wheel).endswith("-abi3"):
        pytest.skip("free-threaded builds have no stable ABI")
    pytest.importorskip("abi3audit", reason="no abi3audit: .ci/setup wheels")
    command = [sys.executable, "-m", "abi3audit", "--strict", "--report", wheel]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"is_abi3": true' in done.stdout


def test_every_licence_of_what_is_linked_in_is_there(files, bill):
    metadata = BytesParser().parsebytes(files["METADATA"])
    expression = metadata["License-Expression"].split(" AND ")
    assert len(expression) == len(set(expression))
    for part in bill["components"]:
        assert set(part["licenses"][0]["expression"].split(" AND ")) <= set(expression)
        assert f"linked/{part['name']}" in metadata.get_all("License-File")
    for name in metadata.get_all("License-File"):
        assert len(files[f"licenses/{name}"]) > 500


def test_bill_of_materials_names_what_is_linked_in(bill, core):
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    parts = {part["name"]: part for part in bill["components"]}
    assert set(parts) == {"aws-lc", "curl", "nghttp2", "zlib"}
    for part in parts.values():
        assert re.fullmatch(r"\d+(\.\d+){1,3}", part["version"])
        assert f":{part['version']}:" in part["cpe"]
        (crate,) = part["pedigree"]["ancestors"]
        assert re.fullmatch("[0-9a-f]{64}", crate["hashes"][0]["content"])
    assert parts["aws-lc"]["version"].encode() + b"\0" in core
    assert parts["curl"]["version"].encode() + b"\0" in core


def test_bill_of_materials_is_valid(files):
    validation = pytest.importorskip("cyclonedx.validation.json", reason="no cyclonedx: .ci/setup wheels")
    schema = pytest.importorskip("cyclonedx.schema", reason="no cyclonedx: .ci/setup wheels")
    validator = validation.JsonStrictValidator(schema.SchemaVersion.V1_6)
    assert validator.validate_str(files["sboms/gaechannel.cdx.json"].decode()) is None


def test_record_has_every_files_sum(wheel):
    with zipfile.ZipFile(wheel) as archive:
        lines = csv.reader(archive.read(f"{info(wheel)}/RECORD").decode().splitlines())
        recorded = {name: digest for name, digest, _ in lines}
        assert set(recorded) == set(archive.namelist())
        for name, digest in recorded.items():
            if digest:
                found = base64.urlsafe_b64encode(hashlib.sha256(archive.read(name)).digest()).decode()
                assert digest == "sha256=" + found.rstrip("=")
