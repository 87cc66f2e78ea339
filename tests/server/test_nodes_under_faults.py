"""Three nodes behind HAProxy under all that may befall them, counted by clients that are not ours.

`make nodes MESSAGES=1000000 SEED=1` sends a million.
"""

import asyncio
import os
import random

import pytest
from farm import Farm
from haproxy import skip_without_haproxy
from redis_server import skip_without_redis

skip_without_redis()
skip_without_haproxy()

MESSAGES = int(os.environ.get("GAECHANNEL_NODES", "20000"))
RATE = int(os.environ.get("GAECHANNEL_NODES_RATE", "1500"))
SEED = int(os.environ.get("GAECHANNEL_SEED", "0")) or random.SystemRandom().randrange(1 << 32)
#: Seconds that Redis is away.
AWAY = float(os.environ.get("GAECHANNEL_AWAY", "1"))


@pytest.mark.timeout(180 + MESSAGES // 100)
def test_what_was_answered_arrives_once_and_in_order_whatever_befalls(tmp_path):
    print(f"seed {SEED}")
    farm = Farm(tmp_path, SEED, AWAY)
    try:
        asyncio.run(farm.exchange(MESSAGES, RATE))
    finally:
        farm.end()
