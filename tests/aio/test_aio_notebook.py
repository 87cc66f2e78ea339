"""Stop in a notebook, on a cell that awaits messages."""

import sys
import time

import pytest

from gaechannel import aio
from gaechannel.server import LocalServer

pytest.importorskip("ipykernel", reason="ipykernel is not installed")
manager = pytest.importorskip("jupyter_client.manager", reason="jupyter_client is not installed")

# Nothing but messages, keep-alives and *Stop* is to wake the kernel's event loop.
LONG = {"connect_timeout": 600, "buffered": False, "timeout": 600}
CELL = """
async with aio.Client(token, base_url=base_url, **LONG) as client:
    async for message in client:
        print(message, flush=True)
"""


@pytest.fixture
def kernel(tmp_path, monkeypatch):
    """A kernel's manager, and a client of it."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    kernel_manager, client = manager.start_new_kernel(kernel_name="python3", cwd=str(tmp_path))
    yield kernel_manager, client
    client.stop_channels()
    kernel_manager.shutdown_kernel(now=True)


def wait_for(client, condition, seconds):
    """Whether the kernel has said something for which the condition holds."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if client.iopub_channel.msg_ready() and condition(client.get_iopub_msg(timeout=1)):
            return True
        time.sleep(0.01)
    return False


def is_idle(said):
    return said["msg_type"] == "status" and said["content"]["execution_state"] == "idle"


def test_async_with_leaves_no_channel_behind_when_stop_is_pressed(kernel):
    kernel_manager, client = kernel
    with LocalServer(keepalive=600) as server:  # nothing else wakes the kernel's event loop
        token = server.create_channel("me")
        client.execute_interactive(
            f"from gaechannel import aio; token = {token!r}; base_url = {server.base_url!r}; LONG = {LONG}",
            timeout=60,
        )
        server.send_message("me", "hello")
        client.execute(CELL)
        assert wait_for(client, lambda said: "hello" in said["content"].get("text", ""), 60)
        kernel_manager.interrupt_kernel()
        assert wait_for(client, is_idle, 60), "the cell was not stopped"
        assert not server.service.is_connected("me")
        reply = client.execute_interactive("assert client.closed", timeout=60, output_hook=lambda _: None)
        assert reply["content"]["status"] == "ok"


def test_a_cell_in_a_task_is_stopped_by_cancelling_it(kernel):
    _, client = kernel
    with LocalServer() as server:
        token = server.create_channel("me")
        task = "import asyncio\nfrom gaechannel import aio\n\nasync def listen(token, base_url):\n" + "".join(
            f"    {line}\n" for line in CELL.strip().splitlines()
        )
        server.send_message("me", "hello")
        client.execute(
            f"LONG = {LONG}\n{task}\ntask = asyncio.create_task(listen({token!r}, {server.base_url!r}))"
        )
        assert wait_for(client, lambda said: "hello" in said["content"].get("text", ""), 60)
        client.execute("task.cancel()")
        deadline = time.monotonic() + 60
        while server.service.is_connected("me"):
            assert time.monotonic() < deadline, "the channel was not closed"
            time.sleep(0.01)


def test_a_program_that_has_merely_loaded_ipykernel_is_not_woken(run, monkeypatch):
    pytest.importorskip("ipykernel.kernelapp", reason="ipykernel is not installed")
    looked = []
    monkeypatch.setattr(aio, "_look_up", lambda *args: looked.append(args))

    async def main():
        server.send_message("me", "hello")
        async with aio.Client(server.create_channel("me"), base_url=server.base_url) as client:
            return await client.recv(20)

    with LocalServer() as server:
        server.create_channel("me")
        assert run(main()) == "hello"
        assert "ipykernel.kernelapp" in sys.modules
        assert not looked
