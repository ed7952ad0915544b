"""Lies beside apps whose functions wait for their test."""

import os
import time


def pause(seconds: float = 600):
    """Makes a file in the working directory, and goes on when somebody has taken it away."""
    with open("waits", "x"):
        pass
    deadline = time.monotonic() + seconds
    while os.path.exists("waits"):
        assert time.monotonic() < deadline, "nobody has taken the sign away"
        time.sleep(0.01)
