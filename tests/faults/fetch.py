"""fetch.py CALL...: waits for the results of calls of numbered.py that outlived their client."""

import sys

import modal

for number, call in enumerate(sys.argv[1:]):
    answer, _ = modal.FunctionCall.from_id(call).get(timeout=90)
    assert answer == number + 1, (number, answer)
