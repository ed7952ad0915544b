"""Tells the stories of dicts.py and queues.py in one run, for most of what a short one takes is its beginning and end."""

import dicts
import modal
import queues
from story import tell

app = modal.App("state")
app.include(dicts.app)
app.include(queues.app)


@app.local_entrypoint()
def main():
    tell(at_once=8)
