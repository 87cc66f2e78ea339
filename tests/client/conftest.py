"""Fixtures of the client's tests."""

import itertools

import logs
import pytest

from gaechannel import Client


@pytest.fixture
def log():
    """What the logger `Channel` is told, from DEBUG on."""
    with logs.clients_records() as records:
        yield records


@pytest.fixture
def client_of():
    """Make clients of a server, with short times; all are closed at the end."""
    made = []

    def make(server, token="t0ken-secret", cls=Client, **options):
        options = {"timeout": 10.0, "max_backoff": 0.02, **options}
        client = cls(token, base_url=server if isinstance(server, str) else server.base_url, **options)
        made.append(client)
        return client

    yield make
    for client in made:
        client.close()


@pytest.fixture
def take():
    """The next so many messages of an iterator or a client."""

    def take(source, count):
        return list(itertools.islice(source, count))

    return take
