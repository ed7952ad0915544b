"""An app that is deployed again while it is asked: each edition answers with its name."""

import asyncio
import os

import modal

app = modal.App("editions", secrets=[modal.Secret.from_dict({"EDITION": os.environ.get("EDITION", "")})])


async def answer(scope, receive, send):
    if scope["type"] == "http":
        await asyncio.sleep(0.2)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": os.environ["EDITION"].encode()})


@app.function()
@modal.concurrent(max_inputs=20)
@modal.asgi_app()
def edition():
    return answer


@app.function()
@modal.asgi_app(requires_proxy_auth=True)
def guarded():
    return answer
