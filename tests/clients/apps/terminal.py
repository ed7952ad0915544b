"""Plays somebody at a terminal: terminal.py ROWS COLUMNS STEPS ARGUMENT…

STEPS is JSON: texts to wait for, as {"sees": text}, and to type, as {"types": text}. Prints all that the terminal has shown, and
then how the command ended. The command is `modal`, or what TERMINAL_PROGRAM says as JSON, with these arguments; its stdin, stdout and stderr are a real terminal of that size.
"""

import fcntl
import json
import os
import pty
import select
import struct
import sys
import termios
import time

PATIENCE = 100


def main(rows, columns, steps, command):
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvp(command[0], command)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    shown = b""
    seen = 0
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        while steps and ("types" in steps[0] or steps[0]["sees"].encode() in shown[seen:]):
            step = steps.pop(0)
            if "types" in step:
                os.write(terminal, step["types"].encode())
            else:
                seen = shown.index(step["sees"].encode(), seen) + len(step["sees"].encode())
        if terminal in select.select([terminal], [], [], 1)[0]:
            try:
                data = os.read(terminal, 65536)
            except OSError:
                data = b""  # the command has ended
            if not data:
                break
            shown += data
    else:
        os.kill(pid, 9)
    _, status = os.waitpid(pid, 0)
    sys.stdout.buffer.write(shown)
    print("\nLEFT", json.dumps(steps), "END", os.waitstatus_to_exitcode(status))


program = os.environ.get("TERMINAL_PROGRAM")
command = [*(json.loads(program) if program else [sys.executable, "-m", "modal"]), *sys.argv[4:]]
main(int(sys.argv[1]), int(sys.argv[2]), json.loads(sys.argv[3]), command)
