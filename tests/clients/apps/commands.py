"""Runs several `modal` commands, each as its program would, in one process: most of a command's time is its start.

Its argument is a JSON list of the commands' arguments, of which `-c` is Python to run in between; it prints a JSON list of
their exit statuses and outputs.
"""

import contextlib
import io
import json
import sys

import modal
from modal.__main__ import main

ends = []
for args in json.loads(sys.argv[1]):
    sys.argv = ["modal", *args]
    with contextlib.redirect_stdout(io.StringIO()) as output, contextlib.redirect_stderr(output):
        try:
            if args[0] == "-c":
                exec(args[1], {})
            else:
                main()
            code = 0
        except SystemExit as end:
            code = end.code or 0
            if isinstance(code, str):
                print(code)
                code = 1
        except modal.exception.Error as error:
            print(f"{type(error).__name__}: {error}")
            code = 1
    ends.append([code, output.getvalue()])
print(json.dumps(ends))
