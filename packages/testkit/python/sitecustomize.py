"""Python runs this first in clients of tests: what a thread prints goes out line by line, each as soon as it ends, and whole.

`print` writes its parts one by one, and lines of the app's log, which another thread writes, would get in between.
"""

import sys
import threading


class WholeLines:
    def __init__(self, stream):
        self._stream = stream
        self._begun = threading.local()

    def write(self, text: str) -> int:
        whole = getattr(self._begun, "line", "") + text
        end = whole.rfind("\n") + 1
        self._begun.line = whole[end:]
        if end > 0:
            self._stream.write(whole[:end])
            self._stream.flush()
        return len(text)

    def flush(self):
        begun, self._begun.line = getattr(self._begun, "line", ""), ""
        self._stream.write(begun)
        self._stream.flush()

    def __getattr__(self, name):
        return getattr(self._stream, name)


sys.stdout = WholeLines(sys.stdout)
