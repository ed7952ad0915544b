"""A warm starter: waits in a container with the client imported already, and becomes the program that it is told.

    starter.py MODULE SOCKET

It connects to the worker's socket when it is ready. The worker answers with one line of JSON: the `argv`, `env` and `cwd` of
the program, which is `python -m MODULE` with the client of this starter, and the paths of the files that it shows in this
container since then. The starter answers with a byte, and is the program from then on. A worker that goes away first tells
it to end.

What the program would find otherwise if it were started now (another environment for the interpreter, a file that takes the
place of a module that is imported already) is not guessed at: then this process starts Python anew, and only the time of the
import is lost.
"""

import gc
import importlib
import json
import os
import runpy
import socket
import sys
import time

module, socket_path = sys.argv[1:]

# What Python, the C library or an imported module looks at once, at the start. The others of MODAL_ are looked at later.
READ_AT_START = ("PYTHON", "LD_", "MALLOC_", "GLIBC_", "LANG", "LC_", "OPENSSL_", "SSL_", "PROTOCOL_BUFFERS_", "MODAL_")
READ_LATER = {
    "MODAL_CONTAINER_ARGUMENTS_PATH",
    "MODAL_ENVIRONMENT",
    "MODAL_IMAGE_ID",
    "MODAL_IS_REMOTE",
    "MODAL_SERVER_URL",
    "MODAL_TASK_ID",
}


def main() -> None:
    sys.path[0] = os.getcwd()  # as for `python -m`
    importlib.import_module(module)
    gc.freeze()  # it all stays: no collection need look at it again
    with socket.socket(socket.AF_UNIX) as worker:
        worker.connect(socket_path)
        line = worker.makefile("rb").readline()
        if not line.endswith(b"\n"):
            sys.exit("the worker went away before it had told what to run")
        told = json.loads(line)
        argv, env, cwd = told["argv"], told["env"], told["cwd"]
        worker.sendall(b".")
    os.chdir(cwd)
    if argv[1:] != ["-m", module] or not is_same_start(env) or any(map(hides_module, told["laid"])):
        os.execve(argv[0], argv, env)
    os.environ.clear()
    os.environ.update(env)
    time.tzset()
    sys.path[0] = cwd
    sys.argv = [argv[0]]
    importlib.invalidate_caches()
    del sys.modules[module]  # it is run as __main__, as if it had not been imported
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def is_same_start(env: dict) -> bool:
    def seen(variables) -> dict:
        return {
            name: value
            for name, value in variables.items()
            if name.startswith(READ_AT_START) and name not in READ_LATER
        }

    return seen(env) == seen(os.environ)


def hides_module(path: str) -> bool:
    """Whether a module that is imported already would be this one now, or this would have been read at the start."""
    for entry in map(os.path.abspath, sys.path):
        if path.startswith(entry + "/"):
            name = path[len(entry) + 1 :].split("/")[0].split(".")[0]
            if name in sys.modules or name == "usercustomize" or path.endswith(".pth"):
                return True
    return False


if __name__ == "__main__":
    main()
