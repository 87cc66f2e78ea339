"""wire's C code, tested in C: builds the programs beside this file and runs each of their cases.

Every program is built four times: as it is; with WIRE_NO_HUGE, for the code that runs where there is no
AVX-512; with WIRE_NO_WIDE, where there is no AVX2 either; and with WIRE_NO_VECTOR, where there is neither
SSE2 nor NEON. And a fifth time for aarch64, to run NEON, where a compiler for that and an emulator are there.
No sanitizer watches the last. Which of that runs on which x86-64 is seen on processors that an emulator has.
"""

import json
import os
import platform
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from c_programs import COMPILER, CSRC, FLAGS, cases_beside, needs_compiler

HERE = Path(__file__).parent
CASES = json.loads((HERE / "cases.json").read_text())
VARIANTS = {
    "vector": [],
    "wide": ["-DWIRE_NO_HUGE"],
    "narrow": ["-DWIRE_NO_WIDE"],
    "plain": ["-DWIRE_NO_VECTOR"],
}
CUTS = ["whole", "1", *(f"seed{seed}" for seed in range(60))]

# On a processor that has NEON, the variant "vector" runs it.
NEON_COMPILER, NEON_EMULATOR = "aarch64-linux-gnu-gcc", "qemu-aarch64"
UNWATCHED = "the sanitizers do not run in the emulator"
NO_NEON = None
if os.environ.get("GAECHANNEL_SANITIZE") == "1":
    NO_NEON = UNWATCHED
elif shutil.which(NEON_COMPILER) is None or shutil.which(NEON_EMULATOR) is None:
    NO_NEON = f"needs {NEON_COMPILER} and {NEON_EMULATOR} (Debian: gcc-aarch64-linux-gnu, qemu-user)"

# Processors by the names that an emulator has for them, with what is taken away behind a comma, and the best
# that each has. Without XSAVE, the system keeps none of AVX's registers.
X86_64_EMULATOR, X86_64_EMULATOR_WITH_AVX2 = "qemu-x86_64", (7, 2)
PROCESSORS = {
    "qemu64": "",
    "core2duo": "",
    "Nehalem": "SSSE3",
    "Nehalem,-popcnt": "",
    "Haswell": "AVX2",
    "Haswell,-avx2": "SSSE3",
    "Haswell,-xsave": "SSSE3",
    "Haswell,level=6": "SSSE3",
}

pytestmark = needs_compiler

C_CASES = cases_beside(__file__)


class Builder:
    """Builds programs against one variant of wire, each when it is first asked for."""

    def __init__(self, folder, flags, compiler, emulator=()):
        self.folder = folder
        self.flags = FLAGS + flags
        self.compiler = compiler
        self.emulator = emulator
        self.programs = {}
        self.library = folder / "wire.a"

    def compile(self, *arguments):
        subprocess.run([*self.compiler, *self.flags, *map(str, arguments)], check=True, cwd=self.folder)

    def program(self, name):
        if not self.library.exists():
            self.compile("-c", *sorted((CSRC / "wire").rglob("*.c")))
            subprocess.run(["ar", "rcs", self.library, *self.folder.glob("*.o")], check=True)
        if name not in self.programs:
            path = self.folder / name
            self.compile(HERE / f"{name}.c", self.library, "-o", path)
            self.programs[name] = path
        return self.programs[name]

    def run(self, program, *arguments, **options):
        command = [*self.emulator, program, *arguments]
        result = subprocess.run(command, capture_output=True, **options)
        assert result.returncode == 0, result.stderr.decode(errors="replace")
        return result.stdout


@pytest.fixture(scope="session", params=[*VARIANTS, *(["neon"] if NO_NEON is None else [])])
def builder(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(f"wire_{request.param}")
    if request.param != "neon":
        return Builder(folder, VARIANTS[request.param], COMPILER)
    return Builder(folder, ["-static"], [NEON_COMPILER], [NEON_EMULATOR])


@pytest.mark.skipif(NO_NEON is not None, reason=f"no test runs NEON: {NO_NEON}")
def test_the_variant_for_neon_runs_neon():
    command = [NEON_COMPILER, "-dM", "-E", "-x", "c", "/dev/null"]
    made = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "#define __ARM_NEON 1" in made.stdout.splitlines()


@pytest.fixture(scope="session")
def emulator_of_x86_64():
    """Runs programs on processors of other models; where it cannot, the test is skipped."""
    if platform.machine() != "x86_64":
        pytest.skip("only an x86-64 chooses at run time")
    if os.environ.get("GAECHANNEL_SANITIZE") == "1":
        pytest.skip(UNWATCHED)
    if shutil.which(X86_64_EMULATOR) is None:
        pytest.skip(f"needs {X86_64_EMULATOR} (Debian: qemu-user)")
    said = subprocess.run([X86_64_EMULATOR, "--version"], capture_output=True, text=True, check=True).stdout
    version = re.search(r"version (\d+)\.(\d+)", said)
    if version is None or tuple(map(int, version.groups())) < X86_64_EMULATOR_WITH_AVX2:
        pytest.skip(f"{X86_64_EMULATOR} is too old to have AVX2")
    return X86_64_EMULATOR


@pytest.fixture(scope="session")
def extension_dump(emulator_of_x86_64, tmp_path_factory):
    """What makes blocks on a processor, which is named in the emulator's words."""
    builder = Builder(tmp_path_factory.mktemp("wire_emulated"), [], COMPILER)
    program = builder.program("extension_dump")

    def run(processor):
        builder.emulator = [emulator_of_x86_64, "-cpu", processor]
        return builder.run(program).decode()

    return run


@pytest.mark.parametrize(("processor", "best"), PROCESSORS.items(), ids=PROCESSORS)
def test_blocks_are_made_by_the_best_that_a_processor_has(extension_dump, processor, best):
    assert extension_dump(processor) == f"{best}\n"


@pytest.mark.parametrize(("program", "name"), C_CASES, ids=[f"{program}-{name}" for program, name in C_CASES])
def test_in_c(builder, program, name):
    builder.run(builder.program(program), name)


@pytest.mark.parametrize("program", sorted({program for program, _ in C_CASES}))
def test_no_case_in_c_is_left_out(builder, program):
    names = builder.run(builder.program(program), "--list").decode().split()
    assert names == [name for owner, name in C_CASES if owner == program]


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_case_holds_however_the_body_is_cut(builder, case):
    output = builder.run(builder.program("wire_dump"), *CUTS, input=case["body"].encode("latin-1"))
    want = {key: case[key] for key in ("chunks", "arrays", "error")}
    results = [json.loads(line) for line in output.splitlines()]
    assert len(results) == len(CUTS)
    for cut, result in zip(CUTS, results, strict=True):
        messages = result.pop("messages")
        assert result == want, cut
        assert messages == talk_messages(case["arrays"]), cut


def test_what_the_fuzzer_began_with_holds(builder):
    fuzz = HERE.parents[1] / "fuzz"
    builder.program("wire_dump")  # and with it, the library
    target = builder.folder / "fuzz_wire"
    builder.compile("-DFUZZ_STANDALONE", fuzz / "fuzz_wire.c", builder.library, "-o", target)
    corpus = sorted(fuzz.glob("corpus/*"))
    assert builder.run(target, *corpus).decode() == f"{len(corpus)} inputs, all hold\n"


def talk_messages(arrays):
    """[CLID, TEXT] of each `[id, ["c", [CLID, ["ae", TEXT]]]]`."""
    messages = []
    for _, data in arrays:
        match data:
            case ["c", [str(clid), ["ae", str(text)]]]:
                messages.append([clid, text])
    return messages
