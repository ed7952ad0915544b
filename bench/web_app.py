"""What bench/web.ts asks: an empty answer, bodies both ways, a socket that is only open."""

from fastapi import FastAPI, Request, WebSocket
from fastapi.responses import StreamingResponse

web = FastAPI()


@web.get("/")
async def empty():
    return {}


@web.post("/size")
async def size(request: Request):
    total = 0
    async for piece in request.stream():
        total += len(piece)
    return total


@web.get("/zeros")
async def zeros(mebibytes: int):
    async def pieces():
        for _ in range(mebibytes):
            yield bytes(1024 * 1024)

    return StreamingResponse(pieces(), media_type="application/octet-stream")


@web.websocket("/socket")
async def socket(ws: WebSocket):
    await ws.accept()
    async for text in ws.iter_text():
        await ws.send_text(text)
