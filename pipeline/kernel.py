"""Jupyter's kernel manager, with a heartbeat that ends when it is told to.

The heartbeat of jupyter_client 8 waits for its socket without a limit, and whoever stops it waits for the
heartbeat: in some hundred notebooks one was executed to its end and never came back. Here a wait ends after a
second.
"""

from __future__ import annotations

from contextlib import suppress

import zmq
from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.channels import HBChannel
from jupyter_client.manager import AsyncKernelManager
from traitlets import DottedObjectName, Type

PATIENCE = 1000
"""How long a ping waits to be sent or answered, in milliseconds."""


class Heartbeat(HBChannel):
    """A heartbeat that does not wait for ever."""

    def _create_socket(self) -> None:
        super()._create_socket()
        assert self.socket is not None
        self.socket.sndtimeo = self.socket.rcvtimeo = PATIENCE

    def run(self) -> None:
        """Beat until the kernel is gone, or the channel is stopped."""
        with suppress(zmq.Again):
            super().run()


class Client(AsyncKernelClient):
    """A client with this heartbeat."""

    hb_channel_class = Type(Heartbeat)


class Manager(AsyncKernelManager):
    """A manager of one kernel, whose clients have this heartbeat."""

    client_class = DottedObjectName("pipeline.kernel.Client")
    client_factory = Type(Client)
