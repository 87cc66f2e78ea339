"""Which maps of a request are new, by their ids: seen once, also where a later request was quicker."""

from __future__ import annotations

#: Stretches of ids, each from its first to the one behind its last, that were left out so far.
LeftOut = tuple[tuple[int, int], ...]

#: So many are remembered, the latest: a client may leave out as many as it likes.
_MOST_STRETCHES = 64


def new_ids(following: int, left_out: LeftOut, first: int, count: int) -> tuple[list[int], LeftOut]:
    """Those ids of a request's maps that have not come yet.

    Ids that were left out are not waited for, since many clients leave some out for ever: pyytlounge counts
    from 1, SmartTube over all its sessions, gotubecast with each back channel. But a client that has several
    requests under way at once, as Google's in Java, cannot say which is read first: what was left out is
    taken when it comes.

    Args:
        following: the id behind the highest one that has come.
        left_out: the lower ones that have not.
        first: the id of the request's first map.
        count: how many it has.

    Returns:
        The ids that are new, in their order, and what is left out then.
    """
    end = first + count
    if first > following:
        left_out = (*left_out, (following, first))
    late = [one for begin, stop in left_out for one in range(max(begin, first), min(stop, end))]
    if late:
        pieces = [
            piece
            for begin, stop in left_out
            for piece in ((begin, min(stop, first)), (max(begin, end), stop))
            if piece[0] < piece[1]
        ]
        left_out = tuple(pieces)
    return [*late, *range(max(first, following), end)], left_out[-_MOST_STRETCHES:]
