"""A heartbeat ends when it is stopped, whatever its socket waits for."""

from __future__ import annotations

import threading
import time

import zmq
import zmq.asyncio

from pipeline import kernel


def test_a_ping_that_waits_does_not_keep_the_heartbeat() -> None:
    context = zmq.asyncio.Context()
    context.setsockopt(zmq.IMMEDIATE, 1)  # A socket of this context queues nothing for a peer to come.
    with zmq.Context() as here, here.socket(zmq.REP) as gone:
        port = gone.bind_to_random_port("tcp://127.0.0.1")
    heartbeat = kernel.Heartbeat(context, None, ("127.0.0.1", port))
    heartbeat.start()
    time.sleep(0.5)
    stopping = threading.Thread(target=heartbeat.stop, daemon=True)
    stopping.start()
    stopping.join(timeout=5)
    assert not stopping.is_alive()
