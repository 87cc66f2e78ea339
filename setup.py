"""Builds gaechannel._core, the C part; everything that is not about C stands in pyproject.toml.

Environment variables; the first has its default in brackets, the others are off unless set to 1:

GAECHANNEL_LIBCURL    the folder of a static libcurl that is to be linked in (the system's libcurl)
GAECHANNEL_WERROR     more warnings, and all of them errors
GAECHANNEL_SANITIZE   AddressSanitizer and UndefinedBehaviorSanitizer
GAECHANNEL_DEBUG      for a debugger: not optimized, with assertions
GAECHANNEL_COVERAGE   gcov's counters
GAECHANNEL_FILEWISE   each C file optimized by itself, its functions to be found in its object
"""

import os
import shlex
import subprocess
import sys
import sysconfig
import tempfile
from glob import glob
from importlib.machinery import EXTENSION_SUFFIXES

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

# What the C code is written against: Debian 12's libcurl. In the form of LIBCURL_VERSION_NUM, too.
LIBCURL_MINIMUM = "7.88.0"
LIBCURL_MINIMUM_NUM = "0x075800"

INSTALL_LIBCURL = (
    "install libcurl4-openssl-dev (Debian, Ubuntu), libcurl-devel (Fedora), curl-dev (Alpine)"
    " or, on macOS, brew install curl and put its lib/pkgconfig into PKG_CONFIG_PATH"
)
INSTALL_ZLIB = "install zlib1g-dev (Debian, Ubuntu), zlib-devel (Fedora) or zlib-dev (Alpine)"
# Who has no compiler lacks all the rest, too: what docs/install.rst says.
INSTALL_COMPILER = (
    "what a build needs comes by"
    " `apt install gcc python3-dev python3-venv libcurl4-openssl-dev zlib1g-dev` (Debian, Ubuntu),"
    " `dnf install gcc python3-devel libcurl-devel zlib-devel` (Fedora),"
    " `apk add gcc musl-dev python3-dev curl-dev zlib-dev` (Alpine)"
    " or, on macOS, `xcode-select --install` and `brew install curl`"
)
INSTALL_PYTHON = (
    "install python3-dev (Debian, Ubuntu, Alpine), python3-devel (Fedora) or, on macOS, brew install python"
)

# A static libcurl's functions are no business of whatever else the process has loaded.
EXPORTED = "PyInit__core"

WARNINGS = ["-Wall", "-Wextra"]
STRICT_WARNINGS = [*WARNINGS, "-Wconversion", "-Wshadow", "-Werror"]

# To make an object takes many calls of the interpreter's functions. Each is a jump less where it does not go
# through a stub: all of it takes 3 to 5 % less.
DIRECT_CALLS = ["-fno-plt"]

# What a message goes through stands in a dozen files: optimized as one, it takes a twentieth less. Wheels are
# made by another compiler, from which the same bytes must come on every machine; they do without.
WHOLE_PROGRAM = ["-flto=auto"]


def wanted(name):
    return os.environ.get(f"GAECHANNEL_{name}", "") not in ("", "0")


# Free-threaded builds have no stable ABI yet.
LIMITED_API = not sysconfig.get_config_var("Py_GIL_DISABLED")


def whole_program():
    """Whether the files are to be optimized as one; not where somebody looks at what becomes of each."""
    return not any(wanted(name) for name in ("SANITIZE", "DEBUG", "COVERAGE", "FILEWISE"))


def fail(problem, remedy):
    """End the build with one line instead of a traceback."""
    raise SystemExit(f"gaechannel: {problem}; {remedy}")


def ask(*command):
    """The words that a program prints, or None if it does not exist or reports failure."""
    try:
        output = subprocess.check_output(command, stderr=subprocess.DEVNULL, text=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return shlex.split(output)


def static_libcurl_flags(prefix):
    """What the compiler and what the linker must be told to find the one in a folder: two lists."""
    config = os.path.join(prefix, "bin", "curl-config")
    cflags, libs = ask(config, "--cflags"), ask(config, "--static-libs")
    if cflags is None or libs is None:
        fail(
            f"GAECHANNEL_LIBCURL={prefix}, but {config} does not tell of a static libcurl",
            "build one there, or unset the variable to use the system's libcurl",
        )
    return cflags, [f"-L{os.path.join(prefix, 'lib')}", *libs]


def libcurl_flags():
    """What the compiler and what the linker must be told to find libcurl: two lists."""
    if prefix := os.environ.get("GAECHANNEL_LIBCURL"):
        return static_libcurl_flags(os.path.abspath(prefix))
    pkg_config = shlex.split(os.environ.get("PKG_CONFIG") or "pkg-config")
    questions = [
        ([*pkg_config, "--cflags", "libcurl"], [*pkg_config, "--libs", "libcurl"]),
        (["curl-config", "--cflags"], ["curl-config", "--libs"]),
    ]
    for ask_cflags, ask_libs in questions:
        cflags, libs = ask(*ask_cflags), ask(*ask_libs)
        if cflags is not None and libs is not None:
            return cflags, libs
    return fail(f"libcurl >= {LIBCURL_MINIMUM} was not found", INSTALL_LIBCURL)


def zlib_flags():
    """The same for zlib, which systems have where the compiler looks. A static libcurl brings its own."""
    if os.environ.get("GAECHANNEL_LIBCURL"):
        return [], []
    pkg_config = shlex.split(os.environ.get("PKG_CONFIG") or "pkg-config")
    cflags, libs = ask(*pkg_config, "--cflags", "zlib"), ask(*pkg_config, "--libs", "zlib")
    return cflags or [], libs or ["-lz"]


class BuildExt(build_ext):
    """Builds the extension after looking whether that can succeed."""

    def run(self):
        if sys.platform == "win32":
            fail("Windows is not supported", "run it in WSL, which is Linux, where pip finds a wheel")
        if sys.implementation.name != "cpython":
            fail(f"{sys.implementation.name} is not supported", "run it with CPython 3.11 or newer")
        super().run()
        for ext in self.extensions:
            self.remove_others(ext)

    def remove_others(self, ext):
        """Remove what might be imported in a module's place: what was built beside it by another API.

        In build/, too: a wheel has all that lies there.
        """
        built = self.get_ext_fullpath(ext.name)
        stem = os.path.join(os.path.dirname(built), ext.name.rpartition(".")[2])
        for other in {stem + suffix for suffix in EXTENSION_SUFFIXES} - {built}:
            if os.path.exists(other):
                os.remove(other)

    def build_extension(self, ext):
        self.require(
            "#include <stdio.h>\n#include <stdatomic.h>\n", [], "no working C compiler", INSTALL_COMPILER
        )
        python = [f"-I{path}" for path in self.include_dirs]
        self.require("#include <Python.h>\n", python, "Python.h was not found", INSTALL_PYTHON)
        cflags, libs = libcurl_flags()
        self.require("#include <curl/curl.h>\n", cflags, "libcurl's headers were not found", INSTALL_LIBCURL)
        self.require(
            "#include <curl/curl.h>\n"
            f"#if LIBCURL_VERSION_NUM < {LIBCURL_MINIMUM_NUM}\n#error too old\n#endif\n",
            cflags,
            f"the libcurl found is older than {LIBCURL_MINIMUM}",
            INSTALL_LIBCURL,
        )
        zlib_cflags, zlib_libs = zlib_flags()
        cflags += zlib_cflags
        self.require("#include <zlib.h>\n", cflags, "zlib's headers were not found", INSTALL_ZLIB)
        ext.extra_compile_args += cflags
        ext.extra_link_args += [*libs, *zlib_libs]
        if os.environ.get("GAECHANNEL_LIBCURL"):
            ext.extra_link_args += self.hide_all_but_ours()
        elif whole_program() and self.links(WHOLE_PROGRAM):
            ext.extra_compile_args += WHOLE_PROGRAM
            ext.extra_link_args += WHOLE_PROGRAM
        if self.links(DIRECT_CALLS):
            ext.extra_compile_args += DIRECT_CALLS
        ext.define_macros += [("GAECHANNEL_VERSION", f'"{self.distribution.get_version()}"')]
        super().build_extension(ext)

    def hide_all_but_ours(self):
        """The linker's words for a library that exports one function, without what nothing uses."""
        if sys.platform == "darwin":
            return [f"-Wl,-exported_symbol,_{EXPORTED}", "-Wl,-dead_strip"]
        os.makedirs(self.build_temp, exist_ok=True)
        script = os.path.join(self.build_temp, "exports")
        with open(script, "w") as file:
            file.write(f"{{ global: {EXPORTED}; local: *; }};\n")
        return [f"-Wl,--version-script={script}", "-Wl,--gc-sections"]

    def links(self, flags):
        """Whether compiler and linker know the flags, and have nothing to say about them."""
        with tempfile.TemporaryDirectory() as folder:
            made, library = f"{folder}/probe.o", f"{folder}/probe.so"
            compiling = [*self.compiler.compiler_so, *flags, "-x", "c", "-c", "-", "-o", made]
            linking = [*self.compiler.linker_so, *flags, made, "-o", library]
            for command, source in (compiling, "int probe(void) { return 0; }\n"), (linking, ""):
                done = subprocess.run(command, input=source, text=True, capture_output=True, check=False)
                if done.returncode != 0 or done.stderr:
                    return False
        return True

    def require(self, source, flags, problem, remedy):
        """Fail with `problem` unless the compiler accepts the C text `source`."""
        with tempfile.TemporaryDirectory() as folder:
            command = [*self.compiler.compiler_so, *flags, "-x", "c", "-c", "-", "-o", f"{folder}/probe.o"]
            try:
                done = subprocess.run(command, input=source, text=True, capture_output=True, check=False)
            except OSError:
                fail("no C compiler was found", INSTALL_COMPILER)
        if done.returncode != 0:
            fail(problem, remedy)


def extension():
    compile_args = ["-std=c11", "-fvisibility=hidden", "-O3", *WARNINGS]
    link_args = []
    # Python.h says the same; files without it want POSIX, which -std=c11 alone hides.
    define_macros = [("_GNU_SOURCE", "1")]
    if wanted("WERROR"):
        compile_args += STRICT_WARNINGS
    if wanted("SANITIZE"):
        sanitizers = "-fsanitize=address,undefined"
        compile_args += [sanitizers, "-fno-sanitize-recover=undefined", "-fno-omit-frame-pointer"]
        # CPython's own flags switch assert() off, and hide overflows.
        compile_args += ["-g", "-O1", "-UNDEBUG", "-fno-wrapv"]
        link_args += [sanitizers]
    if wanted("DEBUG"):
        compile_args += ["-g", "-O0", "-UNDEBUG"]
    if wanted("COVERAGE"):
        compile_args += ["--coverage", "-fprofile-update=atomic", "-g", "-O0"]
        link_args += ["--coverage"]
    if LIMITED_API:
        define_macros += [("Py_LIMITED_API", "0x030B0000")]
    return Extension(
        "gaechannel._core",
        sources=sorted(glob("csrc/**/*.c", recursive=True)),
        depends=[*sorted(glob("csrc/**/*.h", recursive=True)), "setup.py", "pyproject.toml"],
        include_dirs=["csrc"],
        define_macros=define_macros,
        extra_compile_args=compile_args,
        extra_link_args=link_args,
        py_limited_api=LIMITED_API,
    )


setup(
    ext_modules=[extension()],
    cmdclass={"build_ext": BuildExt},
    options={"bdist_wheel": {"py_limited_api": "cp311"}} if LIMITED_API else {},
)
