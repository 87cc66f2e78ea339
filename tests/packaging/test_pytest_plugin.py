"""gaechannel.testing: the plugin, as pytest finds it."""

import subprocess
import sys
from importlib.metadata import entry_points

import pytest

pytest_plugins = ["pytester"]


def test_pytest_is_told_of_it():
    assert [one.value for one in entry_points(group="pytest11", name="gaechannel")] == ["gaechannel.testing"]


def test_a_test_has_a_server_that_the_environment_names(pytester, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    pytester.makepyfile(
        """
        import os
        from gaechannel import Client
        from gaechannel.server.remote import ChannelAPI

        def test_what_is_sent_arrives(channel_server):
            assert "http_proxy" not in os.environ
            with ChannelAPI() as api, Client(api.create_channel("me")) as client:
                api.send_message("me", "hello")
                assert next(client.messages()) == "hello"
            assert channel_server.faults == []

        def test_each_has_its_own(channel_server):
            assert not channel_server.service.has_channel("me")
            assert os.environ["GAECHANNEL_BASE_URL"] == channel_server.base_url
        """
    )
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider")
    result.assert_outcomes(passed=2)


def test_pytest_loads_neither_the_core_nor_aiohttp_with_it():
    code = """
import sys, gaechannel.testing
assert not {"gaechannel._core", "gaechannel.server", "aiohttp"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.parametrize("name", ["gaechannel", "gaechannel.server"])
def test_who_has_no_pytest_does_not_miss_it(name):
    code = f"import sys; sys.modules['pytest'] = None; import {name}"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
