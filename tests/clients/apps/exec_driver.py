"""Runs commands in a container as the newest client's own container processes; prints as JSON what became of each."""

import asyncio
import hashlib
import json
import os
import sys
import uuid

from modal._utils.async_utils import synchronizer
from modal.client import _Client
from modal.container_process import _ContainerProcess
from modal.sandbox._task_command_router_client import TaskCommandRouterClient
from modal_proto import api_pb2, task_command_router_pb2 as router_pb2

PIPES = {
    "stdout_config": router_pb2.TaskExecStdoutConfig.TASK_EXEC_STDOUT_CONFIG_PIPE,
    "stderr_config": router_pb2.TaskExecStderrConfig.TASK_EXEC_STDERR_CONFIG_PIPE,
}


class Commands:
    def __init__(self, client, router, container):
        self.client, self.router, self.container = client, router, container

    async def start(self, *command, exec_id=None, **options):
        exec_id = exec_id or str(uuid.uuid4())
        request = {"task_id": self.container, "exec_id": exec_id, "command_args": command, **PIPES, **options}
        await self.router.exec_start(router_pb2.TaskExecStartRequest(**request))
        return _ContainerProcess(exec_id, self.container, self.client, command_router_client=self.router, text=False)

    async def run(self, *command, **options):
        process = await self.start(*command, **options)
        return await self.end(process)

    async def end(self, process):
        out, err, code = await asyncio.gather(process.stdout.read(), process.stderr.read(), process.wait())
        return [code, out.decode(), err.decode()]

    async def many_bytes(self):
        """Ten megabytes there and back, in the client's own stream of input."""
        data = os.urandom(10_000_000)
        process = await self.start("cat")
        with open("/dev/shm/exec-driver", "wb+") as file:
            os.unlink(file.name)
            file.write(data)
            file.seek(0)
            written, out = await asyncio.gather(process._stdin_write_stream(file), process.stdout.read())
        return [written, await process.wait(), hashlib.sha256(data).digest() == hashlib.sha256(out).digest()]

    async def twice(self):
        """What is sent again, as after a reply that was lost, is not there again."""
        process = await self.start("cat")
        again = await self.start("cat", exec_id=process._process_id)
        for offset, data, eof in [(0, b"one ", False), (0, b"one two ", False), (4, b"two ", False), (8, b"three", True)]:
            await self.router.exec_stdin_write(self.container, process._process_id, offset, data, eof)
        first = await self.end(process)
        rest = b""
        stdout = api_pb2.FILE_DESCRIPTOR_STDOUT
        async for item in self.router.exec_stdio_read(self.container, again._process_id, stdout, start_offset=4):
            rest += item.data
        return [*first, rest.decode()]

    async def flood(self):
        """Nobody reads, so it waits; then somebody does, from its beginning."""
        process = await self.start("sh", "-c", "echo begun >&2; head -c 20000000 /dev/zero")
        stderr = process.stderr.__aiter__()
        await stderr.__anext__()
        waits = await process.poll() is None
        out, code = await asyncio.gather(process.stdout.read(), process.wait())
        return [waits, len(out), code]

    async def other_container(self):
        try:
            self.container = "ta-01M8PM2VT32ENVZVXBWSGZGFR0"
            await self.run("true")
        except Exception as error:
            return str(error)


@synchronizer.create_blocking
async def main(container):
    client = await _Client.from_env()

    async def fetch_access():
        request = api_pb2.TaskGetCommandRouterAccessRequest(task_id=container)
        return await client._stub.TaskGetCommandRouterAccess(request)

    router = await TaskCommandRouterClient.connect(client, container, fetch_access)
    commands = Commands(client, router, container)
    shell = "echo $0 $A $B $OF_THE_IMAGE $OF_A_SECRET; pwd; id -u; echo err >&2; exit 3"
    secret = api_pb2.SecretSource(env=api_pb2.StringMap(contents={"A": "a", "B": "x"}))
    outcomes = {
        "plain": await commands.run("sh", "-c", shell, workdir="/tmp", env={"B": "b"}, secret_sources=[secret]),
        "no program": await commands.run("nonesuch"),
        "signal": await commands.run("sh", "-c", "kill -TERM $$"),
        "too long": await commands.run("sh", "-c", "echo begun; sleep 600 & sleep 600", timeout_secs=1),
        "many bytes": await commands.many_bytes(),
        "twice": await commands.twice(),
        "one stream": await commands.run(
            "sh", "-c", "echo same; echo same >&2",
            stderr_config=router_pb2.TaskExecStderrConfig.TASK_EXEC_STDERR_CONFIG_STDOUT,
        ),
        "flood": await commands.flood(),
        "rights": await commands.run("sh", "-c", "grep -E 'CapEff|Seccomp:|NoNewPrivs' /proc/self/status; unshare -m true"),
        "other container": await commands.other_container(),
    }
    print("OUTCOMES", json.dumps(outcomes))


main(sys.argv[1])
