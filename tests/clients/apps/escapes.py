"""Functions that try to get out of their container, and to be somebody else; each prints what its test reads."""

import asyncio
import contextlib
import hashlib
import http.client
import json
import os
import pathlib
import pickle
import socket
import subprocess
import sys

import modal

if modal.is_local():
    sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "host" / "runc" / "escapes"))

app = modal.App("escapes", image=modal.Image.debian_slim().add_local_python_source("ways_out"))

door = "/run/lydian/door/s"


@app.function()
def ways(canaries: str, names: list[str]) -> list[dict]:
    tried = subprocess.run([sys.executable, "-m", "ways_out", canaries, *names], capture_output=True, text=True)
    if tried.returncode != 0:
        raise RuntimeError(tried.stderr)
    return [json.loads(line) for line in tried.stdout.splitlines()]


@app.local_entrypoint()
def out(canaries: str, names: str):
    for one in ways.remote(canaries, names.split(",")):
        print(one["name"], one["verdict"], one["detail"])


@app.function()
def holder(forges: bool) -> str:
    """Holds an input while another container, or itself, says that the input is finished."""
    if forges:
        asyncio.run(forge(modal.current_input_id()))
        return "the holder's answer, too late"
    mine = {"input": modal.current_input_id(), "task": os.environ["MODAL_TASK_ID"], "app": app.app_id}
    return json.dumps({"attempts": intruder.remote(mine), "said by": "the holder"})


@app.function()
def intruder(holders: dict) -> dict:
    answers = asyncio.run(intrude(holders))
    answers["another's door"] = by_another_line()
    answers["content"] = over_http(f"/content/{hashlib.sha256(b'').hexdigest()}")
    answers["blob"] = over_http("/blobs/bl-01234567890123456789012345?action=get&until=99999999999999&sig=AAAA")
    return answers


@contextlib.asynccontextmanager
async def through_the_door():
    import grpclib.client
    from modal_proto import api_grpc

    channel = grpclib.client.Channel(path=door)
    try:
        yield channel, api_grpc.ModalClientStub(channel)
    finally:
        channel.close()


def forged(input_id: str):
    from modal_proto import api_pb2

    success = api_pb2.GenericResult(status=api_pb2.GenericResult.GENERIC_STATUS_SUCCESS, data=pickle.dumps("forged"))
    pickled = api_pb2.DATA_FORMAT_PICKLE
    return api_pb2.FunctionPutOutputsItem(input_id=input_id, result=success, data_format=pickled)


async def forge(input_id: str):
    from modal_proto import api_pb2

    async with through_the_door() as (_, stub):
        await stub.FunctionPutOutputs(api_pb2.FunctionPutOutputsRequest(outputs=[forged(input_id)]))


async def intrude(holders: dict) -> dict:
    import grpclib
    from modal_proto import api_pb2

    answers = {}

    async def ask(name, attempt):
        try:
            answers[name] = f"OK {await attempt}".strip()
        except grpclib.GRPCError as error:
            answers[name] = error.status.name

    async with through_the_door() as (channel, stub):

        def request(name, **fields):
            return getattr(stub, name)(getattr(api_pb2, f"{name}Request")(**fields), timeout=10)

        await ask("FunctionPutOutputs", request("FunctionPutOutputs", outputs=[forged(holders["input"])]))
        await ask("ContainerStop", request("ContainerStop", task_id=holders["task"]))
        await ask("AppStop", request("AppStop", app_id=holders["app"]))
        for name in ("AppList", "AppCreate", "FunctionCreate", "ImageGetOrCreate", "TokenInfoGet", "TokenFlowCreate"):
            await ask(name, request(name))
        await ask("AppGetLogs", first(stub.AppGetLogs, holders["app"]))
        await ask("Session", first(worker_session(channel), ""))
    return answers


async def first(method, app_id):
    """The first message of a stream."""
    from modal_proto import api_pb2

    async with method.open(timeout=10) as stream:
        await stream.send_message(api_pb2.AppGetLogsRequest(app_id=app_id), end=True)
        return await stream.recv_message()


def worker_session(channel):
    import grpclib.client
    from modal_proto import api_pb2

    kind = api_pb2.AppGetLogsRequest  # whatever it is, it is not to be read
    return grpclib.client.StreamStreamMethod(channel, "/lydian.worker.Workers/Session", kind, kind)


def by_another_line() -> str:
    """Through its own door, with the beginning of somebody else's."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(door)
        connection.sendall(b"LYDIAN/1 local.secret\nGET / HTTP/1.1\r\nHost: x\r\n\r\n")
        return connection.recv(1000).decode() or "closed"


def over_http(path: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", 8700, timeout=10)
    connection.request("GET", path)
    return connection.getresponse().status


@app.local_entrypoint()
def somebody_else(forges: bool = False):
    print(holder.remote(forges))
