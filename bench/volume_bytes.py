"""Times the stock client's put and get of one file, against the same client with a server that throws bytes away.

In the place of that server's two RPCs stand answers of our own: all blocks are missing, or lie where SINK is. Prints JSON.
"""

import json
import os
import tempfile
import time

import modal
from modal._grpc_client import UnaryUnaryWrapper
from modal_proto import api_pb2

MIB = int(os.environ.get("BENCH_PUT_MIB", "1024"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
SINK = os.environ["SINK"]
BLOCK = 8 << 20

call = UnaryUnaryWrapper.__call__
thrown_away = False


def answer_of(request):
    if isinstance(request, api_pb2.VolumePutFiles2Request):
        missing = api_pb2.VolumePutFiles2Response.MissingBlock
        blocks = request.files[0].blocks
        return api_pb2.VolumePutFiles2Response(
            missing_blocks=[missing(block_index=i, put_url=f"{SINK}/{i}") for i in range(len(blocks))]
            if not blocks[0].HasField("put_response")
            else []
        )
    if isinstance(request, api_pb2.VolumeGetFile2Request):
        urls = [f"{SINK}/{i}" for i in range(MIB * (1 << 20) // BLOCK)]
        return api_pb2.VolumeGetFile2Response(get_urls=urls, size=MIB << 20, start=0, len=MIB << 20)
    return None


async def called(self, request, **options):
    answer = answer_of(request) if thrown_away else None
    return await call(self, request, **options) if answer is None else answer


UnaryUnaryWrapper.__call__ = called


def timed(work):
    begin = time.perf_counter()
    work()
    return (time.perf_counter() - begin) * 1000


def put(volume, file, name):
    with volume.batch_upload(force=True) as batch:
        batch.put_file(file, name)


def get(volume, name):
    with open(os.devnull, "wb") as file:
        volume.read_file_into_fileobj(name, file)


def main():
    global thrown_away
    found = {"put": [], "put floor": [], "get": [], "get floor": []}
    with modal.Volume.ephemeral(version=2) as volume, tempfile.NamedTemporaryFile() as file:
        for round in range(ROUNDS):
            file.seek(0)
            for _ in range(MIB // 8):  # of new content each time, or nothing would be sent
                file.write(os.urandom(BLOCK))
            file.flush()
            for thrown_away, suffix in ((True, " floor"), (False, "")):
                found["put" + suffix].append(timed(lambda: put(volume, file.name, f"file-{round}")))
                found["get" + suffix].append(timed(lambda: get(volume, f"file-{round}")))
    print(json.dumps(found), flush=True)


main()
