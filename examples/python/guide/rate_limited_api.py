"""The guide's API with a limit per caller: the 101st request of a minute is answered with 429."""

import time
from collections import defaultdict

import modal

image = modal.Image.debian_slim(python_version="3.11").pip_install("fastapi==0.116.1")

app = modal.App("rate-limited-api", image=image)

# Simple in-memory rate limiter (use Redis in production): it is each container's own, so there is one
request_counts = defaultdict(list)


def rate_limit(client_id: str, max_requests: int = 100, window: int = 60):
    """Allow max_requests per window seconds"""
    from fastapi import HTTPException

    now = time.time()

    # Clean old requests
    request_counts[client_id] = [ts for ts in request_counts[client_id] if now - ts < window]

    if len(request_counts[client_id]) >= max_requests:
        raise HTTPException(status_code=429, detail="Rate limit exceeded")

    request_counts[client_id].append(now)


def expensive_operation(data: dict) -> int:
    return sum(data["numbers"])


@app.function(max_containers=1)
@modal.concurrent(max_inputs=20)
@modal.asgi_app()
def api():
    from fastapi import FastAPI

    web_app = FastAPI()

    @web_app.post("/api/process")
    def process(client_id: str, data: dict):
        rate_limit(client_id, max_requests=100, window=60)

        # Process request
        result = expensive_operation(data)
        return {"result": result}

    return web_app
