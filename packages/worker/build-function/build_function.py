"""Calls the function that is a step of an image, in the step's own container.

    build_function.py INPUT START SECONDS PROGRAM [ARGUMENT ...]

The program is the public client's entry point, which takes its inputs from a platform. It runs as a child of this one, which
stands between the two: it answers what is asked about inputs and outputs, with the one input of the file INPUT, and passes
all other requests on to the platform. START and SECONDS are how long it may take until it asks for the input, and from then on.

Ends with code 0 when the function has returned and its program has ended well, with 124 when either took too long, as the
program did when a signal ended that, and else with 1. What went wrong is on stderr.
"""

import asyncio
import os
import sys
import tempfile

import grpclib
from google.protobuf.empty_pb2 import Empty
from grpclib.client import Channel
from grpclib.const import Handler, Status
from grpclib.server import Server
from modal_proto import api_pb2
from modal_proto.api_grpc import ModalClientBase

TIMED_OUT = 124

# For exit hooks and threads of a function that has returned, in seconds.
EXIT_GRACE = 30

# A folder of every container that is in memory only.
MEMORY = "/dev/shm"

LOST = (OSError, grpclib.exceptions.ProtocolError, grpclib.exceptions.StreamTerminatedError)


class Names:
    """Stands for an implementation of a service, so that the table of its methods has their names."""

    def __getattr__(self, name):
        return name


class Call:
    """The one call, as the platform of the function's container."""

    def __init__(self, payload, platform):
        self.begun = asyncio.Event()
        self.ended = asyncio.Event()
        self.has_returned = False
        self._payload = payload
        self._platform = platform
        self._id = os.environ["MODAL_TASK_ID"].partition("-")[2]

    def __mapping__(self):
        methods = ModalClientBase.__mapping__(Names())
        return {path: method._replace(func=self._answer(path, method)) for path, method in methods.items()}

    async def ContainerHello(self, _request):
        return Empty()

    async def ContainerHeartbeat(self, _request):
        return api_pb2.ContainerHeartbeatResponse()  # the client waits before the next one

    async def FunctionGetInputs(self, _request):
        self.begun.set()
        if self.ended.is_set():
            item = api_pb2.FunctionGetInputsItem(kill_switch=True)
        else:
            names = dict(input_id=f"in-{self._id}", function_call_id=f"fc-{self._id}")
            item = api_pb2.FunctionGetInputsItem(input=self._payload, **names)
        return api_pb2.FunctionGetInputsResponse(inputs=[item])

    async def FunctionPutOutputs(self, request):
        for output in request.outputs:
            self._end(output.result)
        return Empty()

    async def TaskResult(self, request):
        self._end(request.result)
        return Empty()

    def _end(self, result):
        if not self.ended.is_set():
            self.has_returned = result.status == api_pb2.GenericResult.GENERIC_STATUS_SUCCESS
            self.ended.set()

    def _answer(self, path, method: Handler):
        own = getattr(self, method.func, None)

        async def answer(stream):
            await stream.send_message(await own(await stream.recv_message()))

        async def pass_on(stream):
            kinds = (method.cardinality, method.request_type, method.reply_type)
            try:
                async with self._platform.request(path, *kinds, metadata=stream.metadata) as there:
                    async for message in stream:
                        await there.send_message(message)
                    if method.cardinality.client_streaming:
                        await there.end()
                    async for reply in there:
                        await stream.send_message(reply)
            except LOST as error:
                raise grpclib.GRPCError(Status.UNAVAILABLE, f"The platform cannot be reached: {error}") from error

        return pass_on if own is None else answer


async def first(child, event, seconds):
    """Waits until the child has ended or the event has come; answers whether one of them has, in time."""
    waits = [asyncio.ensure_future(wait) for wait in (child.wait(), event.wait())]
    done, _ = await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()
    return bool(done)


def say(text):
    print(text, file=sys.stderr, flush=True)


async def ends_well(child, call):
    """Whether its program has ended well after the function has returned."""
    try:
        code = await asyncio.wait_for(child.wait(), EXIT_GRACE)
    except asyncio.TimeoutError:
        say(f"The function's program still ran {EXIT_GRACE} s after the function, and was killed.")
        child.kill()
        await child.wait()
        return True
    if code != 0:
        say(f"The function's program ended with code {code} after the function had returned.")
    return code == 0


async def run(payload, start, seconds, command):
    platform = Channel(path=os.environ["MODAL_SERVER_URL"].partition(":")[2])
    call = Call(payload, platform)
    server = Server([call])
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        await server.start(path=f"{folder}/s")
        env = {**os.environ, "MODAL_SERVER_URL": f"unix:{folder}/s"}
        child = await asyncio.create_subprocess_exec(*command, env=env)
        try:
            return await outcome(child, call, start, seconds)
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()
            server.close()
            platform.close()


async def outcome(child, call, start, seconds):
    if not await first(child, call.begun, start):
        say(f"The function was not ready within {start:g} s.")
        return TIMED_OUT
    if not await first(child, call.ended, seconds):
        say(f"The function did not return within {seconds:g} s.")
        return TIMED_OUT
    if call.has_returned:
        return 0 if await ends_well(child, call) else 1
    if call.ended.is_set():
        return 1  # the client has shown why
    if child.returncode < 0:
        return child.returncode
    say(f"The function's program ended with code {child.returncode} before the function had returned.")
    return 1


def main():
    file, start, seconds, *command = sys.argv[1:]
    with open(file, "rb") as payload:
        given = api_pb2.FunctionInput.FromString(payload.read())
    code = asyncio.run(run(given, float(start), float(seconds), command))
    if code < 0:
        os.kill(os.getpid(), -code)  # as its program ended
    sys.exit(abs(code))


if __name__ == "__main__":
    main()
