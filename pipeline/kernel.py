"""Jupyter's kernel manager, with a heartbeat that ends when it is told to; and one that forks the kernel.

Jupyter looks for free ports, and the kernel binds them later: another program may have taken one meanwhile,
and the kernel dies. On Linux they talk through sockets that have a name and no port.

The heartbeat of jupyter_client 8 waits for its socket without a limit, and whoever stops it waits for the
heartbeat: in some hundred notebooks one was executed to its end and never came back. Here a wait ends after a
second.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import Any
from uuid import uuid4

import zmq
from ipykernel.kernelspec import get_kernel_dict
from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.channels import HBChannel
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from traitlets import DottedObjectName, Type, default

from pipeline import forks

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
    """A manager of one kernel of this Python, whose clients have this heartbeat.

    Jupyter would look for a kernel called python3 in JUPYTER_PATH and in the reader's folders, where one of
    another Python may lie.
    """

    client_class = DottedObjectName("pipeline.kernel.Client")
    client_factory = Type(Client)

    @default("transport")
    def _named_sockets(self) -> str:
        return "ipc" if sys.platform == "linux" else "tcp"

    @default("ip")
    def _own_name(self) -> str:
        # A name that begins with @ is in no folder, and nothing of it is left when the kernel ends.
        return f"@companion-{uuid4()}" if self.transport == "ipc" else self._ip_default()

    @property
    def kernel_spec(self) -> KernelSpec:
        """Return how the kernel of this very Python is started."""
        return KernelSpec(resource_dir="", **get_kernel_dict())


class Forking(Manager):
    """A manager of one kernel that is forked from this process, and finds its imports done."""

    async def _async_launch_kernel(self, kernel_cmd: list[str], **kw: Any) -> None:  # noqa: ANN401
        """Launch the kernel; Jupyter's class says that a subclass may override this."""
        local: Any = self.provisioner
        arguments = kernel_cmd[kernel_cmd.index("ipykernel_launcher") + 1 :]
        local.process = forks.kernel(arguments, kw["env"])
        self._reconcile_connection_info(local.connection_info)
