"""A server of its own for apps/web.py: plain ASGI, run by uvicorn in the container."""


async def web(scope, receive, send):
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": message["text"] + "!"})
    elif scope["type"] == "http":
        body = b""
        while (message := await receive())["type"] == "http.request":
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        lines = [f"{scope['method']} {scope['path']}?{scope['query_string'].decode()}", body.decode()]
        lines += [f"{name.decode()}: {value.decode()}" for name, value in scope["headers"]]
        headers = [(b"content-type", b"text/plain"), (b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")]
        await send({"type": "http.response.start", "status": 201, "headers": headers})
        await send({"type": "http.response.body", "body": "\n".join(lines).encode()})
