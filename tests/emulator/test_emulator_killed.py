"""Google's Firestore emulator, killed and started again: it knows neither sessions nor documents then."""

import pytest
import waiting
from firestore import LISTENERS, address, skip_where_there_is_none

skip_where_there_is_none()


@pytest.mark.parametrize("face", ["sync", "aio"])
def test_after_a_kill_a_new_session_is_opened_and_said_to_be_new(face, own_emulator, log):
    own_emulator.write({"open/x": {"topic": "before"}})
    with LISTENERS[face](address(own_emulator.url, "Listen"), "open/x", logger=log) as listener:
        # What is not confirmed goes to the new session, too, where the emulator may carry it out once more.
        waiting.until(lambda: listener.current == 1 and listener.channel.unsent == 0, 60)
        own_emulator.kill()
        waiting.until(lambda: "Connection lost" in log.text.getvalue(), 60)
        own_emulator.start()
        own_emulator.write({"open/x": {"topic": "after"}})
        waiting.until(lambda: listener.channel.stats.sessions == 2, 60)
        listener.ask()
        waiting.until(lambda: listener.current == 2, 60)
        assert listener.heard == ["before", "after"], log.text.getvalue()
        assert listener.channel.stats.sessions == 2
    # Nobody may believe that the old session's targets are still listened to.
    assert "subscriptions" in log.text.getvalue()
