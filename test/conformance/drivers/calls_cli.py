"""Calls with the AWS CLI: its own entry point with its own arguments, in one process, as starting Python takes longer than a call."""

import contextlib
import io
import json
import os
import re
import sys
import tempfile

import awscli.clidriver
from botocore import xform_name

from shapes import filled

REFUSED = re.compile(r"An error occurred \((\S+)\) when calling the \S+ operation(?: \(reached max retries: \d+\))?: (.*)", re.DOTALL)


class Calls:
    def __init__(self):
        self.drivers = {}

    def make(self, client, operation, input, profile, credentials):
        environment = {"AWS_PROFILE": profile}
        if credentials:
            environment["AWS_ACCESS_KEY_ID"] = credentials["accessKeyId"]
            environment["AWS_SECRET_ACCESS_KEY"] = credentials["secretAccessKey"]
            if credentials.get("sessionToken"):
                environment["AWS_SESSION_TOKEN"] = credentials["sessionToken"]
        for name in list(os.environ):
            if name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
                del os.environ[name]
        os.environ.update(environment)
        key = tuple(sorted(environment.items()))
        if key not in self.drivers:
            self.drivers[key] = awscli.clidriver.create_clidriver()
        driver = self.drivers[key]
        shape = driver.session.get_service_model(client).operation_model(operation)
        with tempfile.TemporaryDirectory() as folder:
            arguments = self.arguments(client, shape, filled(shape.input_shape, input), folder)
            code, out, err = run(driver, arguments)
            if code == 0:
                output = json.loads(out) if out.strip() else {}
                return {"output": self.with_body(output, folder)}
        refused = REFUSED.search(err)
        if refused:
            return {"error": {"code": refused.group(1), "message": refused.group(2).strip()}}
        return {"error": {"message": f"aws {' '.join(arguments[:2])} ended with {code}: {err.strip()}"}}

    def arguments(self, client, operation, input, folder):
        """The command line. Bodies of objects are files."""
        service = "s3api" if client == "s3" else client
        arguments = [service, xform_name(operation.name, "-"), "--output", "json", "--no-paginate"]
        body = operation.input_shape.serialization.get("payload") if operation.input_shape else None
        if operation.has_streaming_input and body in input:
            path = os.path.join(folder, "body")
            with open(path, "w") as f:
                f.write(input.pop(body))
            arguments += ["--" + xform_name(body, "-"), path]
        if operation.has_streaming_output:  # takes no document, and the name of a file
            for name, value in input.items():
                arguments += ["--" + xform_name(name, "-"), value]
            return arguments + [os.path.join(folder, "answer")]
        if input:
            arguments += ["--cli-input-json", json.dumps(input)]
        return arguments

    def with_body(self, output, folder):
        path = os.path.join(folder, "answer")
        if os.path.exists(path):
            with open(path) as f:
                output["Body"] = f.read()
        return output


def run(driver, arguments):
    """Runs a command line as `aws` does, and returns its status and what it wrote."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = driver.main(arguments)
        except SystemExit as e:  # of the argument parser
            code = e.code
    out.seek(0)
    err.seek(0)
    return code, out.read(), err.read()
