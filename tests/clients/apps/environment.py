"""Tells which environment's secret and dict its function finds by their names."""

import os

import modal

app = modal.App("lives")


@app.function(secrets=[modal.Secret.from_name("place")], max_containers=1)
def look():
    return os.environ["PLACE"] + " " + modal.Dict.from_name("shared").get("where")
