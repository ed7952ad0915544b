"""A FastAPI of every kind of parameter, for schemathesis to make up requests for."""

import modal

app = modal.App("items", image=modal.Image.debian_slim(python_version="3.11").pip_install("fastapi==0.116.1"))


@app.function()
@modal.concurrent(max_inputs=20)
@modal.asgi_app()
def shop():
    from fastapi import FastAPI, Header, HTTPException, Query, Response
    from pydantic import BaseModel, Field

    class Item(BaseModel):
        name: str = Field(max_length=200)
        price: float = Field(ge=0, le=1e9)
        tags: list[str] = Field(default=[], max_length=20)

    class Echo(BaseModel):
        path: str
        query: list[str]
        header: str | None

    web = FastAPI()
    items: dict[int, Item] = {}
    missing = {404: {"description": "there is none"}, 400: {"description": "not JSON"}}

    @web.get("/items", response_model=dict[int, Item])
    def every(limit: int = Query(10, ge=1, le=100)):
        return dict(list(items.items())[:limit])

    @web.put("/items/{number}", response_model=Item, responses=missing)
    def put(number: int, item: Item):
        items[number % 1000] = item
        return item

    @web.get("/items/{number}", response_model=Item, responses=missing)
    def get(number: int):
        if number not in items:
            raise HTTPException(404)
        return items[number]

    @web.delete("/items/{number}", status_code=204, response_class=Response)
    def delete(number: int):
        items.pop(number, None)

    @web.get("/echo/{text}", response_model=Echo, responses=missing)
    def echo(text: str, q: list[str] = Query([]), x_said: str | None = Header(None)):
        return Echo(path=text, query=q, header=x_said)

    return web
