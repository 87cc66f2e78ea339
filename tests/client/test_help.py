"""What help, completion and type checkers are shown: every option by name, and nothing private."""

import inspect
import os
import pydoc
import subprocess
import sys

import pytest

import gaechannel
from gaechannel import ChannelOptions, _options, aio

URL = "http://127.0.0.1:1/channel"
NAMES = ["BrowserChannel", "Client", "DevClient", "WebChannel"]
CLASSES = [getattr(module, name) for module in (gaechannel, aio) for name in NAMES]


def named(cls):
    return f"{cls.__module__}.{cls.__name__}"


def make(cls):
    return cls("token", URL) if cls.__name__ == "DevClient" else cls("token", base_url=URL)


def parameters(function):
    """The keyword arguments' names, with their defaults."""
    return {
        name: parameter.default
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    }


@pytest.mark.parametrize("cls", CLASSES, ids=named)
def test_every_option_stands_in_the_signature_with_its_default(cls):
    kinds = {parameter.kind for parameter in inspect.signature(cls).parameters.values()}
    assert inspect.Parameter.VAR_KEYWORD not in kinds
    options = parameters(_options.core_arguments)
    assert options.keys() == ChannelOptions.__annotations__.keys()
    assert options.items() <= parameters(cls).items()


@pytest.mark.parametrize("name", NAMES)
def test_asyncio_has_the_same_arguments(name):
    assert parameters(getattr(aio, name)) == parameters(getattr(gaechannel, name))


@pytest.mark.parametrize("cls", CLASSES, ids=named)
def test_help_shows_the_options_and_says_where_they_are_explained(cls):
    shown = pydoc.plain(pydoc.render_doc(cls))
    assert "max_backoff" in shown
    documented = cls.__doc__ + (cls.__init__.__doc__ or "")
    assert "ChannelOptions" in documented or "arguments" in documented


@pytest.mark.parametrize("cls", CLASSES, ids=named)
def test_every_option_is_handed_on(cls):
    """Under a wrong type, each is found by its name: none is left behind in a signature."""
    arguments = ("token", URL) if cls.__name__ == "DevClient" else (URL,)
    if cls.__name__ == "Client":
        arguments = ("token",)
    for option in ChannelOptions.__annotations__:
        if option in ("auto_reconnect", "http2"):  # anything is true or false
            continue
        with pytest.raises(TypeError, match=option):
            cls(*arguments, **{option: object()})


def test_a_misspelt_option_is_named():
    with pytest.raises(TypeError, match="'timout'"):
        gaechannel.Client("token", timout=5)


@pytest.mark.parametrize("module", [gaechannel, aio])
def test_completion_offers_the_public_names_only(module):
    for channel in (
        module.Client("token", base_url=URL),
        module.BrowserChannel(URL),
        module.WebChannel(URL),
        module.DevClient("token", URL),
    ):
        offered = dir(channel)
        assert {"messages", "close", "stats", "sid"} <= set(offered)
        assert [name for name in offered if name.startswith("_")] == []
        assert channel._url == URL


def test_a_name_that_a_program_adds_is_offered_too():
    channel = gaechannel.BrowserChannel(URL)
    channel.room = "kitchen"
    assert "room" in dir(channel)


COMPLETE = """
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell
from gaechannel import Client

shell = InteractiveShell()
shell.user_ns["Client"] = Client
code = "Client('token', tim"
with provisionalcompleter():
    for shell.Completer.use_jedi in (True, False):
        print(*[completion.text for completion in shell.Completer.completions(code, len(code))])
"""


def test_ipython_completes_an_options_name(tmp_path):
    pytest.importorskip("IPython", reason="IPython is not installed")
    environment = {**os.environ, "IPYTHONDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", COMPLETE], capture_output=True, text=True, env=environment, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    by_jedi, by_itself = done.stdout.splitlines()
    assert "timeout=" in by_jedi.split()
    assert "timeout=" in by_itself.split()
