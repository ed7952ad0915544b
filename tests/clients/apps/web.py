"""Web functions of every kind; tests/clients/web.test.ts asks them."""

import asyncio
import subprocess
import sys

import modal

NEWEST = hasattr(modal, "fastapi_endpoint")

image = modal.Image.debian_slim(python_version="3.11").pip_install(
    "fastapi==0.116.1", "flask==3.1.1", "uvicorn==0.35.0", "websockets==15.0.1"
).add_local_python_source("web_served")
app = modal.App("web", image=image)

endpoint = modal.fastapi_endpoint if NEWEST else modal.web_endpoint


@app.function()
@endpoint()
def greet(name: str = "world"):
    return {"hello": name}


@app.function()
@endpoint(method="POST", docs=True, label="ordered")
def order(item: dict):
    return {"got": item}


@app.function()
@endpoint(requires_proxy_auth=True)
def guarded():
    return "you may pass"


@app.function(timeout=2)
@endpoint()
async def slow():
    await asyncio.sleep(60)


@app.function()
@modal.concurrent(max_inputs=100)
@modal.asgi_app()
def api():
    """What a reverse proxy can get wrong, one path each."""
    from fastapi import FastAPI, Request, WebSocket
    from fastapi.responses import PlainTextResponse, Response, StreamingResponse

    web = FastAPI()
    seen = {"cancelled": 0}

    @web.api_route("/echo", methods=["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"])
    async def echo(request: Request):
        return {
            "method": request.method,
            "path": request.url.path,
            "query": request.url.query,
            "client": request.client.host,
            "scheme": request.url.scheme,
            "headers": [[name, value] for name, value in request.headers.items()],
            "body": (await request.body()).decode(),
        }

    @web.get("/cookies")
    def cookies():
        response = PlainTextResponse("two")
        response.set_cookie("a", "1")
        response.set_cookie("b", "2")
        return response

    @web.post("/size")
    async def size(request: Request):
        total = 0
        async for piece in request.stream():
            total += len(piece)
        return {"bytes": total}

    @web.get("/zeros")
    def zeros(mebibytes: int):
        def pieces():
            for _ in range(mebibytes):
                yield bytes(1024 * 1024)

        return StreamingResponse(pieces(), media_type="application/octet-stream")

    @web.get("/huge")
    def huge(mebibytes: int):
        return Response(b"x" * (mebibytes * 1024 * 1024))

    async def mirror(scope, receive, send):
        """Answers while it is asked, which frameworks do not let one do."""
        await send({"type": "http.response.start", "status": 200, "headers": []})
        more = True
        while more:
            message = await receive()
            more = message.get("more_body", False)
            await send({"type": "http.response.body", "body": message.get("body", b""), "more_body": more})

    web.mount("/mirror", mirror)

    @web.get("/events")
    async def events():
        async def numbers():
            for number in range(3):
                yield f"data: {number}\n\n"
                await asyncio.sleep(0.3)

        return StreamingResponse(numbers(), media_type="text/event-stream")

    @web.get("/patience")
    async def patience():
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            seen["cancelled"] += 1
            raise

    @web.get("/seen")
    def what_was_seen():
        return seen

    @web.get("/fails")
    def fails():
        raise ValueError("secret words")

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

    return web


@app.function()
@modal.wsgi_app()
def flask():
    from flask import Flask, request

    web = Flask(__name__)

    @web.route("/add", methods=["POST"])
    def add():
        return str(sum(request.json))

    @web.route("/environ")
    def environ():
        return {name: value for name, value in request.environ.items() if name.startswith("HTTP_")}

    return web


@app.function()
@modal.concurrent(max_inputs=10)
@modal.web_server(8000, startup_timeout=20)
def server():
    subprocess.Popen([sys.executable, "-m", "uvicorn", "--host", "0.0.0.0", "--port", "8000", "web_served:web"])


@app.cls()
class Counter:
    @modal.enter()
    def begin(self):
        self.count = 0

    @endpoint()
    def up(self, by: int = 1):
        self.count += by
        return self.count

    @endpoint()
    def down(self, by: int = 1):
        self.count -= by
        return self.count


@app.local_entrypoint()
def main():
    """Prints the addresses that the functions have while this runs."""
    print("the address is", greet.get_web_url() if hasattr(greet, "get_web_url") else greet.web_url)
