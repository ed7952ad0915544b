"""Two web functions and an ordinary one, deployed again and again while they are asked: each edition answers with its name, below /slow a second late."""

import asyncio
import os
import subprocess
import sys

import modal

app = modal.App("rolling", secrets=[modal.Secret.from_dict({"EDITION": os.environ.get("EDITION", "")})])

server = """
import os
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 65536  # its answer in one piece, or TCP waits 40 ms between two

    def do_GET(self):
        if self.path == "/slow":
            time.sleep(1)
        body = os.environ["EDITION"].encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words):
        pass

ThreadingHTTPServer(("0.0.0.0", 8000), Handler).serve_forever()
"""


async def answer(scope, receive, send):
    if scope["type"] == "http":
        if scope["path"] == "/slow":
            await asyncio.sleep(1)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": os.environ["EDITION"].encode()})


@app.function(cpu=0.4)
@modal.concurrent(max_inputs=100)
@modal.asgi_app()
def asked():
    return answer


@app.function(cpu=0.4)
@modal.concurrent(max_inputs=100)
@modal.web_server(8000)
def served():
    subprocess.Popen([sys.executable, "-c", server])


@app.function(cpu=0.2)
@modal.concurrent(max_inputs=100)
async def called() -> str:
    return os.environ["EDITION"]
