"""Prints from two functions, then asks for parts of its own log: `word` from each call, and how each question was answered."""

import json
import os
import subprocess
import sys

import modal

app = modal.App("log-filters")


@app.function()
def one(word: str):
    print(word, "from one")
    return os.environ["MODAL_TASK_ID"]


@app.function()
def other(word: str):
    print(word, "from other", file=sys.stderr)
    return os.environ["MODAL_TASK_ID"]


def ask(*arguments: str) -> str:
    asked = subprocess.run([sys.executable, "-m", "modal", *arguments], capture_output=True, text=True)
    return asked.stdout if asked.returncode == 0 else asked.stderr


@app.local_entrypoint()
def main():
    calls = [one.spawn("first"), one.spawn("second"), other.spawn("third")]
    containers = [call.get() for call in calls]
    logs = ["app", "logs", app.app_id]
    answers = {
        "function": ask(*logs, "--function", one.object_id),
        "call": ask(*logs, "--function-call", calls[1].object_id),
        "container": ask(*logs, "--container", containers[2]),
        "container itself": ask("container", "logs", containers[2]),
        "text": ask(*logs, "--search", "second", "--show-function-call-id").replace(calls[1].object_id, "CALL"),
        "stream": ask(*logs, "--source", "stderr", "--since", "1h"),
    }
    print("ANSWERS", json.dumps(answers))
