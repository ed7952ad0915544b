"""Mounted as `usercustomize`, which Python imports before the program: notes when that was."""

import os
import time

os.environ["BENCH_INTERPRETER_UP"] = str(time.time() * 1000)
