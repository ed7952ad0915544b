"""Web functions of every kind; tests/clients/web.test.ts asks them."""

import asyncio
import subprocess
import sys

import modal

NEWEST = hasattr(modal, "fastapi_endpoint")

image = modal.Image.debian_slim(python_version="3.11").pip_install(
    "fastapi==0.116.1", "flask==3.1.1", "uvicorn==0.35.0", "websockets==15.0.1"
).add_local_python_source("web_served", "web_api")
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


@app.function(timeout=2)
@endpoint()
async def slow():
    await asyncio.sleep(60)


@app.function()
@modal.concurrent(max_inputs=100)
@modal.asgi_app()
def api():
    from web_api import make

    return make()


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
    start: int = modal.parameter(default=0)

    @modal.enter()
    def begin(self):
        self.count = self.start

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
