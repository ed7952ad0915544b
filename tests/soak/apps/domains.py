"""What a web function hears of the address under which it is asked, by HTTP and by a web socket."""

import modal

app = modal.App("domains")


async def answer(scope, receive, send):
    host = dict(scope["headers"])[b"host"].decode()
    said = f"{scope['scheme']} {host}"
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": said.encode()})
    elif scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": said})
        await send({"type": "websocket.close", "code": 4000})


@app.function()
@modal.asgi_app(custom_domains=["shop.example.org", "any.example.net"])
def api():
    return answer


@app.function()
@modal.asgi_app(requires_proxy_auth=True)
def guarded():
    return answer
