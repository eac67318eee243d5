"""A heartbeat ends when it is stopped, whatever its socket waits for; a kernel waits for no port."""

from __future__ import annotations

import sys
import threading
import time

import psutil
import pytest
import zmq
import zmq.asyncio
from jupyter_core.utils import run_sync

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


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no sockets with a name alone")
def test_a_kernel_is_given_no_port_that_another_program_could_take_first() -> None:
    async def ports() -> tuple[set[int], set[int]]:
        """Return those that the kernel was given, and those at which it listens."""
        manager = kernel.Manager()
        await manager.start_kernel()
        try:
            client = manager.client()
            client.start_channels()
            await client.wait_for_ready(timeout=60)
            sockets = psutil.Process(manager.provisioner.pid).net_connections(kind="inet")
            client.stop_channels()
        finally:
            await manager.shutdown_kernel(now=True)
        return set(manager.ports), {one.laddr.port for one in sockets if one.status == psutil.CONN_LISTEN}

    given, listening = run_sync(ports)()  # The tests of a browser leave a loop that runs in this thread.
    assert len(given) == 5
    assert not given & listening
