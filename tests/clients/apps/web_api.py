"""What a reverse proxy can get wrong, one path each: the application behind `api` of apps/web.py."""

import asyncio

from fastapi import FastAPI, Request, WebSocket
from fastapi.responses import PlainTextResponse, Response, StreamingResponse

seen = {"cancelled": 0}


def make():
    web = FastAPI()
    web.mount("/mirror", mirror)
    requests(web)
    streams(web)
    sockets(web)
    return web


async def mirror(scope, receive, send):
    """Answers while it is asked, which frameworks do not let one do."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    more = True
    while more:
        message = await receive()
        more = message.get("more_body", False)
        await send({"type": "http.response.body", "body": message.get("body", b""), "more_body": more})


def requests(web):
    @web.api_route("/echo", methods=["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"])
    async def echo(request: Request):
        return {
            "method": request.method,
            "query": request.url.query,
            "headers": [[name, value] for name, value in request.headers.items()],
            "body": (await request.body()).decode(),
        }

    @web.get("/cookies")
    def cookies():
        response = PlainTextResponse("two")
        response.set_cookie("a", "1")
        response.set_cookie("b", "2")
        return response

    @web.get("/patience")
    async def patience(seconds: float = 60):
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            seen["cancelled"] += 1
            raise

    @web.get("/seen")
    def what_was_seen():
        return seen

    @web.get("/fails")
    def fails():
        raise ValueError("secret words")

    @web.get("/injects")
    def injects():
        return Response(headers={"x-bad": "a\r\nset-cookie: evil=1"})

    @web.get("/short")
    def short():
        return Response("short", headers={"content-length": "100"})


def streams(web):
    @web.post("/size")
    async def size(request: Request):
        total = 0
        async for piece in request.stream():
            total += len(piece)
        return {"bytes": total}

    @web.get("/zeros")
    def zeros(mebibytes: int):
        pieces = (bytes(1024 * 1024) for _ in range(mebibytes))
        return StreamingResponse(pieces, media_type="application/octet-stream")

    @web.get("/huge")
    def huge(mebibytes: int):
        return Response(b"x" * (mebibytes * 1024 * 1024))

    @web.get("/events")
    async def events():
        async def numbers():
            for number in range(3):
                yield f"data: {number}\n\n"
                await asyncio.sleep(0.3)

        return StreamingResponse(numbers(), media_type="text/event-stream")


def sockets(web):
    @web.websocket("/socket")
    async def socket(ws: WebSocket):
        await ws.accept(subprotocol="second" if "second" in ws.scope["subprotocols"] else None)
        while True:
            message = await ws.receive()
            if message["type"] == "websocket.disconnect":
                seen["code"] = message["code"]
                return
            if message.get("bytes") is not None:
                await ws.send_bytes(message["bytes"][::-1])
            elif message["text"] == "close":
                await ws.close(4001, "as you wish")
                return
            else:
                await ws.send_text(message["text"].upper())

    @web.websocket("/refused")
    async def refused(ws: WebSocket):
        await ws.close()
