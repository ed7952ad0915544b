"""
The guide's web endpoints: `modal serve` or `modal deploy` prints their addresses.

It imports FastAPI and Flask on the machine that deploys, too; here only the image has them. Its line `from modal.web_endpoint import
web_endpoint` is left out: no client has that module. Its server of its own never returns, which ends with an error here as it does there: the function starts it
in a thread instead.
"""

import threading

import modal

image = modal.Image.debian_slim(python_version="3.11").pip_install("fastapi==0.116.1", "flask==3.1.1")

app = modal.App("web-endpoints", image=image)

with image.imports():
    import fastapi


class Model:
    def predict(self, data: dict) -> float:
        return sum(data.values()) / len(data)


@app.function()
@modal.asgi_app()
def fastapi_app():
    web_app = fastapi.FastAPI()
    model = Model()

    @web_app.get("/")
    def root():
        return {"message": "Hello from Modal!"}

    @web_app.post("/predict")
    def predict(data: dict):
        result = model.predict(data)
        return {"prediction": result}

    return web_app


@app.function()
@modal.fastapi_endpoint(method="POST")
def square(x: int):
    """Accessible via POST request"""
    return {"square": x**2}


@app.function()
@modal.fastapi_endpoint(method="GET")
async def get_data(user_id: str):
    """Query params: ?user_id=123"""
    return {"user_id": user_id, "data": "..."}


@app.function()
@modal.wsgi_app()
def flask_endpoint():
    from flask import Flask

    flask_app = Flask(__name__)

    @flask_app.route("/")
    def home():
        return "Hello from Flask on Modal!"

    return flask_app


@app.function()
@modal.web_server(port=8080)
def custom_server():
    # Start custom HTTP server on port 8080
    import http.server

    handler = http.server.SimpleHTTPRequestHandler
    httpd = http.server.HTTPServer(("", 8080), handler)
    threading.Thread(target=httpd.serve_forever, daemon=True).start()


@app.function()
@modal.fastapi_endpoint()
def authenticated_endpoint(request: "fastapi.Request"):
    token = request.headers.get("Authorization")
    if token != "Bearer let-me-in":
        raise fastapi.HTTPException(401, "Who are you?")
    return {"authenticated": True}
