"""Ports that a container makes reachable; tests/clients/web.test.ts calls them."""

import http.server
import threading

import modal

app = modal.App("tunnels")
ended = threading.Event()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = f"{self.path} at {self.headers['host']}".encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        if self.path == "/end":
            threading.Timer(0.5, ended.set).start()  # what is under way when the tunnel ends is broken off


@app.function()
def forwards():
    server = http.server.ThreadingHTTPServer(("0.0.0.0", 8000), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with modal.forward(8000, unencrypted=True) as tunnel:
        print("forwarded", tunnel.host, tunnel.port, *tunnel.tcp_socket, flush=True)
        try:
            with modal.forward(8000):
                pass
        except modal.exception.InvalidError as error:
            print("refused:", error, flush=True)
        ended.wait(60)
    with modal.forward(8001) as tunnel:
        print("silent", tunnel.url, flush=True)
        ended.clear()
        ended.wait(60)
