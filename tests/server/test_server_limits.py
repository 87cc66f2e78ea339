"""gaechannel.server.core.limits: what can be set, and the limit on open files."""

import errno
import resource

import pytest

from gaechannel.server import Limits, raise_file_limit


@pytest.mark.parametrize(
    "name",
    [
        "keepalive",
        "backchannel_seconds",
        "session_timeout",
        "max_sessions",
        "max_body",
        "max_unacknowledged",
        "backchannel_bytes",
    ],
)
def test_a_limit_of_nothing_is_refused(name):
    with pytest.raises(ValueError, match=name):
        Limits(**{name: 0})


def test_a_back_channel_ends_at_half_of_what_a_session_may_hold():
    assert Limits(max_unacknowledged=1000).bytes_per_backchannel == 500
    assert Limits(max_unacknowledged=1000, backchannel_bytes=10).bytes_per_backchannel == 10
    assert Limits(max_unacknowledged=1000, backchannel_bytes=900).bytes_per_backchannel == 500
    assert Limits(max_unacknowledged=1).bytes_per_backchannel == 1


def test_the_sweep_follows_the_shortest_time():
    assert Limits().sweep_seconds == 2.5
    assert Limits(keepalive=0.8).sweep_seconds == pytest.approx(0.1)
    assert Limits(backchannel_seconds=0.001).sweep_seconds == 0.005


class Rlimit:
    """The system's limits on open files, as a test wants them."""

    def __init__(self, monkeypatch, soft, hard, may_raise):
        self.limits, self.may_raise = (soft, hard), may_raise
        monkeypatch.setattr(resource, "getrlimit", lambda which: self.limits)
        monkeypatch.setattr(resource, "setrlimit", self.set)

    def set(self, which, limits):
        if limits[1] != self.limits[1] and not self.may_raise:
            raise ValueError("not allowed to raise maximum limit")
        self.limits = limits


def test_a_limit_that_is_high_enough_is_left_alone(monkeypatch):
    system = Rlimit(monkeypatch, 2000, 4000, False)
    assert raise_file_limit(1500) == 2000
    assert system.limits == (2000, 4000)
    Rlimit(monkeypatch, resource.RLIM_INFINITY, resource.RLIM_INFINITY, False)
    assert raise_file_limit(1500) == 1500


def test_a_limit_is_raised_up_to_the_hard_one(monkeypatch):
    system = Rlimit(monkeypatch, 1000, 4000, False)
    assert raise_file_limit(4000) == 4000
    assert system.limits == (4000, 4000)


def test_a_limit_is_raised_under_no_hard_one(monkeypatch):
    system = Rlimit(monkeypatch, 1000, resource.RLIM_INFINITY, False)
    assert raise_file_limit(4000) == 4000
    assert system.limits == (4000, resource.RLIM_INFINITY)


def test_the_hard_limit_is_raised_by_who_may(monkeypatch):
    system = Rlimit(monkeypatch, 1000, 2000, True)
    assert raise_file_limit(4000) == 4000
    assert system.limits == (4000, 4000)


def test_it_says_so_when_it_cannot(monkeypatch):
    Rlimit(monkeypatch, 1000, 2000, False)
    with pytest.raises(OSError, match="4000 open files are needed, the hard limit is 2000") as refused:
        raise_file_limit(4000)
    assert refused.value.errno in {None, errno.EPERM}
    assert "ulimit -Hn 4000" in str(refused.value)
