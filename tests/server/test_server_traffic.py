"""gaechannel.server.core.traffic: what a service has carried."""

from wire_by_hand import Talk

from gaechannel.server import ChannelService, LocalServer
from gaechannel.server.core.traffic import BOUNDS, SAMPLED, Histogram


def test_a_time_falls_into_the_bucket_of_the_bound_that_it_does_not_exceed():
    histogram = Histogram()
    for seconds in (0.0, BOUNDS[0], BOUNDS[1], BOUNDS[-1], BOUNDS[-1] + 1):
        histogram.observe(seconds)
    assert (histogram.counts[0], histogram.counts[1]) == (2, 1)
    assert (histogram.counts[-2], histogram.counts[-1]) == (1, 1)
    assert histogram.total == BOUNDS[0] + BOUNDS[1] + 2 * BOUNDS[-1] + 1


def test_messages_arrays_and_maps_are_counted_once_each(clock):
    with LocalServer(ChannelService(monotonic=clock)) as server:
        service = server.service
        traffic = service.traffic
        talk = Talk(server, server.create_channel("me")).connect()
        assert (traffic.sessions, traffic.maps) == (1, 1)
        assert (traffic.queued, traffic.delivered, traffic.acknowledged) == (2, 2, 1)
        server.send_message("me", "one")
        server.send_message("me", "two")
        server.send_message("nobody", "three")
        assert (service.channels.sent, traffic.dropped, traffic.queued, traffic.delivered) == (2, 1, 4, 2)
        assert len(talk.back(CI=1).rest()) == 2
        assert (traffic.delivered, traffic.resent, traffic.acknowledged) == (4, 0, 2)
        assert len(talk.back(CI=1).rest()) == 2
        assert (traffic.delivered, traffic.resent) == (4, 2)
        talk.send(aid=3)
        assert traffic.acknowledged == 4


def test_one_array_in_some_is_timed_be_its_client_away_or_not(clock):
    with LocalServer(ChannelService(monotonic=clock)) as server:
        traffic = server.service.traffic
        talk = Talk(server, server.create_channel("me")).connect()
        for number in range(3 * SAMPLED):
            clock.now += 1
            server.send_message("me", str(number))
        clock.now += 100
        # The first of those that were to be timed: the others went with it.
        waited = 100 + 3 * SAMPLED - (SAMPLED - 2)
        assert len(talk.back(CI=1).rest()) == 3 * SAMPLED
        assert (sum(traffic.delivery.counts), traffic.delivery.total) == (1, waited)
        assert len(talk.back(CI=1).rest()) == 3 * SAMPLED
        assert sum(traffic.delivery.counts) == 1


def test_arrays_that_go_one_by_one_are_counted_as_those_that_go_together_are(clock):
    with LocalServer(ChannelService(monotonic=clock)) as server:
        traffic = server.service.traffic
        talk = Talk(server, server.create_channel("me")).connect()
        back = talk.back()
        for number in range(1, 4):
            server.send_message("me", str(number))
            back.next()
            assert traffic.delivered == traffic.queued == 2 + number
        back.cut()
