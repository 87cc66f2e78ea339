"""gaechannel.server: what it exports, and what it says without aiohttp."""

import re
import subprocess
import sys
from pathlib import Path

from gaechannel import server


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
    folder = Path(server.__file__).parent
    lines = [line for file in folder.glob("*.py") for line in file.read_text("utf-8").splitlines()]
    imports = [line for line in lines if re.match(r"\s*(from|import)\b", line)]
    assert imports
    assert not [line for line in imports if re.search(r"\bgaechannel\b|from \.\.", line)]
