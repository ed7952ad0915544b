"""A steady stream of calls: every answer is checked, and says how often its input was run."""

import sys
import time

import modal

app = modal.App("stream")


@app.function()
def successor(number: int) -> int:
    time.sleep(0.02)
    return number + 1


@app.local_entrypoint()
def main():
    number = 0
    for line in sys.stdin:  # one line more: one more stretch of calls
        for _ in range(int(line)):
            answer = successor.remote(number)
            assert answer == number + 1, (number, answer)
            number = answer
        print("answered", number, flush=True)
    print("stopped after", number)
