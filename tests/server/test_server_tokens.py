"""gaechannel.server.core.tokens: what create_channel hands out."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire_by_hand import Clock

from gaechannel.server import Refusal
from gaechannel.server.core.tokens import TokenSigner

KEY = b"k" * 32


@given(st.text(min_size=1, max_size=60))
def test_a_token_carries_its_client_id_and_its_end(client_id):
    signer = TokenSigner(KEY, Clock(1000.0))
    token = signer.read(signer.issue(client_id, 60))
    assert (token.client_id, token.expires) == (client_id, 1060.0)


def test_a_token_holds_nothing_that_clients_of_2011_would_cut_it_at():
    signer = TokenSigner(None, Clock())
    assert all(re.fullmatch(r"[\w.-]+", signer.issue("a),\"'\n é", 60), re.ASCII) for _ in range(100))


def test_no_two_tokens_are_equal():
    signer = TokenSigner(KEY, Clock())
    assert signer.issue("me", 60) != signer.issue("me", 60)


def test_a_token_lives_until_its_end_and_not_longer(clock):
    signer = TokenSigner(KEY, clock)
    token = signer.issue("me", 60)
    clock.now += 59.9
    assert signer.read(token).client_id == "me"
    clock.now += 0.1
    with pytest.raises(Refusal, match=r"401 Token\+timed\+out\.") as refused:
        signer.read(token)
    assert refused.value.status == 401
    assert signer.read(token, expired=True).client_id == "me"


def test_a_token_outlives_its_signer_where_the_key_is_given(clock):
    assert TokenSigner(KEY, clock).read(TokenSigner(KEY, clock).issue("me", 60)).client_id == "me"


def test_another_key_signs_nothing_of_ours(clock):
    with pytest.raises(Refusal, match=r"401 Invalid\+token\."):
        TokenSigner(None, clock).read(TokenSigner(None, clock).issue("me", 60))


def test_every_changed_character_makes_a_token_invalid(clock):
    signer = TokenSigner(KEY, clock)
    token = signer.issue("me", 60)
    for at in range(len(token)):
        forged = token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :]
        with pytest.raises(Refusal, match="Invalid"):
            signer.read(forged)


@pytest.mark.parametrize(
    "token", ["", "x", "gc1.", "gc1..", "gc1.a.b", "gc1.é.b", "gc1.AA==.AA==", "gc1.\x00"]
)
def test_what_is_no_token_is_refused(clock, token):
    with pytest.raises(Refusal, match="Invalid"):
        TokenSigner(KEY, clock).read(token)


def test_a_short_key_is_refused(clock):
    with pytest.raises(ValueError, match="16 bytes"):
        TokenSigner(b"short", clock)
