"""The web functions that bench/web.ts asks, and the same application behind uvicorn alone in a container like theirs."""

import subprocess
import sys

import modal

image = modal.Image.debian_slim(python_version="3.11").pip_install(
    "fastapi==0.116.1", "uvicorn==0.35.0", "websockets==15.0.1"
)
app = modal.App("bench-web", image=image.add_local_python_source("web_app"))


@app.function(cpu=1, min_containers=1, max_containers=1, timeout=3600)
@modal.concurrent(max_inputs=1000)
@modal.asgi_app()
def api():
    from web_app import web

    return web


@app.function(cpu=1, min_containers=1, max_containers=1)
@modal.concurrent(max_inputs=1000)
@modal.web_server(8000, startup_timeout=60)
def alone():
    command = [sys.executable, "-m", "uvicorn", "--log-level", "warning", "--host", "0.0.0.0", "web_app:web"]
    subprocess.Popen(command)
