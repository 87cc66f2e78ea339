"""A back channel without HTTP, for a session's tests."""


class Back:
    """A back channel that only remembers."""

    def __init__(self, now=1000.0, seconds=240.0, one_batch=False):
        self.woken = self.ending = self.gone = False
        self.one_batch = one_batch
        self.taken = self.wakes = self.aborts = 0
        self.last_taken = now
        self.deadline = now + seconds

    def wake(self):
        self.wakes += 1

    def lost(self):
        return self.gone

    def abort(self):
        self.aborts += 1
