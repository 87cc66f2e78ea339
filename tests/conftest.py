"""What holds for all tests."""

import os
import signal

import pytest
from hypothesis import HealthCheck, settings

# The tests talk to servers on loopback: neither a proxy nor an address that the user has set for other work
# may come between. Processes that tests start inherit this.
for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
    os.environ.pop(name, None)
    os.environ.pop(name.upper(), None)
os.environ.pop("GAECHANNEL_BASE_URL", None)
os.environ.pop("GAECHANNEL_ADMIN", None)
os.environ.pop("GAECHANNEL_ADMIN_TOKEN", None)

# What a shell starts in the background ignores Ctrl-C, and so does all that it starts: tests press it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# No deadlines, for examples or for making them: a machine that is busy with something else is no bug.
settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow])
# The same examples in each run, so that a failure is the change's.
settings.register_profile("ci", parent=settings.get_profile("default"), derandomize=True)
# Under sanitizers.
settings.register_profile(
    "slow",
    parent=settings.get_profile("ci"),
    max_examples=25,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if "CI" in os.environ else "default"))


def pytest_collection_modifyitems(items):
    """Under sanitizers all takes several times as long: no test's own timeout holds."""
    if os.environ.get("GAECHANNEL_SANITIZE") == "1":
        for item in items:
            item.add_marker(pytest.mark.timeout(600), append=False)
