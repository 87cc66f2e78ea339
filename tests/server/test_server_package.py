"""gaechannel.server: what it exports, and what it says without aiohttp."""

import ast
import copy
import pickle
import subprocess
import sys
from pathlib import Path

from gaechannel import server

# What client and server share, which uses nothing of the package.
SHARED = {"gaechannel._checks"}


def imported(pattern):
    """The absolute names of what the server's modules import."""
    found = set()
    for file in Path(server.__file__).parent.glob(pattern):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                assert node.level < 2, file
                if node.level == 0:
                    found.add(node.module)
    return found


def test_all_names_exported_are_there():
    for name in server.__all__:
        assert getattr(server, name) is not None
    assert server.default_mounts().keys() == {"/channel", "/webchannel"}


def test_without_aiohttp_the_import_says_what_to_install():
    code = (
        "import sys; sys.modules['aiohttp'] = None\n"
        "try: import gaechannel.server\n"
        "except ImportError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "the channel server needs aiohttp: install gaechannel[server]\n"


def test_the_server_imports_nothing_of_the_client():
    ours = [name for name in imported("**/*.py") if name.split(".")[0] == "gaechannel"]
    assert ours
    assert {name for name in ours if not name.startswith("gaechannel.server.")} <= SHARED


def test_the_servers_rules_know_no_http():
    names = imported("core/*.py")
    assert {"asyncio", "json"} <= names
    assert not [name for name in names if name.split(".")[0] in {"aiohttp", "http", "socket", "urllib3"}]
    assert {name for name in names if name.startswith("gaechannel")} <= SHARED


def test_what_it_raises_gets_out_of_another_process():
    kinds = [
        one
        for one in map(vars(server).get, server.__all__)
        if isinstance(one, type) and issubclass(one, Exception)
    ]
    errors = [kind("no") for kind in kinds if kind is not server.Refusal]
    errors.append(server.Refusal(503, "not now", {"Retry-After": "5"}, "come back", cause="shed"))
    for error in errors:
        for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
            assert (type(twin), str(twin), vars(twin)) == (type(error), str(error), vars(error))
