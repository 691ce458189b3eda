"""Makes the calls of scenarios with a client that is written in Python: `driver.py boto3` or `driver.py cli`.

A line of JSON on standard input is a call, a line of JSON on standard output its answer, in the same order:

    {"client": "iam", "operation": "GetRole", "input": {...}, "profile": "podid", "credentials": null or {...}}
    {"output": {...}, "error": null or {"code": ..., "message": ..., "members": {...}}, "problems": [...]}

Problems are what is wrong with the answer even where the client is content: what the service's model does not know, or
requires and does not find. A failure that is none of the service's, as of an input that the client refuses to send, is an
error without a code.
"""

import base64
import datetime
import json
import sys


def plain(value):
    """A value of an answer as JSON knows it."""
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if hasattr(value, "read"):
        return value.read().decode()
    raise TypeError(f"an answer holds a {type(value)}")


def main():
    if sys.argv[1] == "boto3":
        from calls_boto3 import Calls
    else:
        from calls_cli import Calls
    answers = sys.stdout
    calls = Calls()
    for line in sys.stdin:
        call = json.loads(line)
        try:
            answer = calls.make(**call)
        except Exception as e:  # whatever it is, the scenario is told
            answer = {"error": {"message": f"{type(e).__name__}: {e}"}}
        answers.write(json.dumps(answer, default=plain) + "\n")
        answers.flush()


main()
