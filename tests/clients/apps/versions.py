"""An app in several editions; deployments.test.ts writes them from this one, and deploys them."""

import os
import time

import modal

EDITION = "first"

app = modal.App("versions")


@app.function(max_containers=1)
def edition(seconds: float = 0):
    print(f"the {EDITION} edition works")
    time.sleep(seconds)
    return EDITION, os.environ["MODAL_TASK_ID"]


if EDITION == "second":

    @app.function(schedule=modal.Period(days=1))
    def daily():
        pass


if EDITION == "broken":

    @app.function(gpu="H100")
    def impossible():
        pass
