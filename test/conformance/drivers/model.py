"""Holds the raw bytes of an answer against botocore's model of the service, strictly: clients overlook what they do not know.

A problem is a member that the output does not have, a required one that is missing, a value of another type, an error that the
operation does not declare or that has another status, and an envelope other than the protocol's.
"""

import base64
import binascii
import json
import re
import xml.etree.ElementTree as ElementTree

# Errors that any operation of a service may answer with, by protocol: AWS documents them apart from the models.
COMMON = {
    "query": {
        "AccessDenied", "ExpiredToken", "IncompleteSignature", "InternalFailure", "InvalidAction", "InvalidClientTokenId",
        "InvalidParameterValue", "MalformedQueryString", "MissingAuthenticationToken", "MissingParameter", "RequestEntityTooLarge",
        "ServiceUnavailable", "SignatureDoesNotMatch", "Throttling", "ValidationError",
    },
    "json": {
        "AccessDeniedException", "ExpiredTokenException", "IncompleteSignatureException", "InternalFailure", "InternalServerException",
        "InvalidSignatureException", "MissingAuthenticationTokenException", "SerializationException", "ServiceUnavailableException",
        "ThrottlingException", "UnknownOperationException", "UnrecognizedClientException", "ValidationException",
        "RequestEntityTooLargeException",
    },
}
COMMON["rest-json"] = COMMON["json"]

MEDIA = {"query": "text/xml", "json": "application/x-amz-json-1.", "rest-json": "application/json"}


def problems(operation, response):
    """What is wrong with one answer, as sentences. S3's are not looked at: its bodies are the store's."""
    protocol = operation.service_model.resolved_protocol
    if protocol not in COMMON:
        return []
    found = []

    def report(path, text):
        found.append(f"{operation.name}: {path or 'the answer'} {text}")

    status, headers, body = response["status_code"], response["headers"], response["body"]
    if not any(k.lower() == "x-amzn-requestid" for k in headers):
        report("", "has no header x-amzn-RequestId")
    if body and not headers.get("content-type", "").startswith(MEDIA[protocol]):
        report("", f"has the content type {headers.get('content-type')!r}, want {MEDIA[protocol]}")
    check = {"query": Query, "json": JSON, "rest-json": JSON}[protocol](operation, protocol, report)
    try:
        if status >= 300:
            check.error(status, headers, body)
        else:
            check.output(status, headers, body)
    except (ValueError, ElementTree.ParseError) as e:
        report("", f"is not well-formed: {e}")
    return found


class Check:
    """What the protocols share: how a structure and a scalar are held against their shapes."""

    def __init__(self, operation, protocol, report):
        self.operation, self.protocol, self.report = operation, protocol, report

    def member_name(self, shape, name):
        return shape.members[name].serialization.get("name", name)

    def structure(self, shape, children, path, skip=()):
        """Children are (name on the wire, value). Members in skip are elsewhere than in the body."""
        wire = {self.member_name(shape, m): m for m in shape.members if m not in skip}
        seen = set()
        for name, value in children:
            at = f"{path}.{name}" if path else name
            if name not in wire:
                self.report(at, f"is no member of {shape.name}")
                continue
            member = shape.members[wire[name]]
            if name in seen and not member.serialization.get("flattened"):
                self.report(at, "is there twice")
            seen.add(name)
            self.value(member, value, at)
        for m in shape.required_members:
            if m not in skip and self.member_name(shape, m) not in seen:
                self.report(f"{path}.{m}" if path else m, f"is missing, which {shape.name} requires")
        if getattr(shape, "is_tagged_union", False) and len(seen) != 1:
            self.report(path, f"has {len(seen)} members of the union {shape.name}")

    def enum(self, shape, text, path):
        if shape.enum and text not in shape.enum:
            self.report(path, f"is {text!r}, which {shape.name} does not list")

    def declared(self, code, status):
        """The shape of an error, where the operation declares it."""
        for shape in self.operation.error_shapes:
            if code in (shape.name, shape.metadata.get("error", {}).get("code")):
                known = shape.metadata.get("error", {})
                want = [known["httpStatusCode"]] if "httpStatusCode" in known else [400, 500]
                if status not in want:
                    self.report("", f"is the error {code} with status {status}; the model says {want[0]}")
                if self.protocol == "query" and code != known.get("code", shape.name):
                    self.report("", f"is the error {code}, which the model spells {known['code']}")
                return shape
        if code not in COMMON[self.protocol]:
            self.report("", f"is the error {code}, which the operation does not declare")
        elif not 400 <= status < 600:
            self.report("", f"is the error {code} with status {status}")
        return None


XML_SCALARS = {
    "integer": re.compile(r"-?\d+"),
    "long": re.compile(r"-?\d+"),
    "float": re.compile(r"-?\d+(\.\d+)?([eE][-+]?\d+)?"),
    "double": re.compile(r"-?\d+(\.\d+)?([eE][-+]?\d+)?"),
    "boolean": re.compile(r"true|false"),
    "timestamp": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"),
    "string": re.compile(r".*", re.DOTALL),
    "blob": re.compile(r"[A-Za-z0-9+/\s]*={0,2}\s*"),
}


class Query(Check):
    """The AWS Query protocol: XML in an envelope of the operation's name."""

    def local(self, node):
        """A tag without its namespace, which is the service's everywhere."""
        want = "{%s}" % self.operation.service_model.metadata["xmlNamespace"]
        if not node.tag.startswith(want):
            self.report(node.tag, f"is not in the namespace {want}")
        return node.tag.split("}")[-1]

    def envelope(self, root, name, allowed):
        if self.local(root) != name:
            self.report("", f"is a {self.local(root)}, want {name}")
        children = {self.local(c): c for c in root}
        if list(map(self.local, root)) != allowed:
            self.report("", f"holds {[self.local(c) for c in root]}, want {allowed}")
        return children

    def output(self, status, headers, body):
        if status != 200:
            self.report("", f"has status {status}")
        shape, name = self.operation.output_shape, self.operation.name
        root = ElementTree.fromstring(body)
        wrapper = shape.serialization.get("resultWrapper") if shape else None
        if shape is not None and not shape.members and self.local(root[0]) != wrapper:
            wrapper = None  # of nothing, which AWS sends and leaves out
        children = self.envelope(root, name + "Response", [wrapper, "ResponseMetadata"] if wrapper else ["ResponseMetadata"])
        self.request_id(children.get("ResponseMetadata"))
        if wrapper in children:
            self.structure(shape, self.pairs(children[wrapper]), "")

    def request_id(self, parent):
        ids = [] if parent is None else [c.text for c in parent if self.local(c) == "RequestId"]
        if len(ids) != 1 or not ids[0]:
            self.report("", "has no RequestId")

    def error(self, status, headers, body):
        root = ElementTree.fromstring(body)
        children = self.envelope(root, "ErrorResponse", ["Error", "RequestId"])
        self.request_id(root)
        error = children.get("Error")
        if error is None:
            return
        pairs = self.pairs(error)
        texts = {k: v.text or "" for k, v in pairs}
        if texts.get("Type") != ("Receiver" if status >= 500 else "Sender"):
            self.report("Error.Type", f"is {texts.get('Type')!r}")
        shape = self.declared(texts.get("Code"), status)
        if not texts.get("Message"):
            self.report("Error.Message", "is missing")
        members = {"Type", "Code", "Message"}
        if shape is not None:
            own = [(k, v) for k, v in pairs if k not in ("Type", "Code") and (k != "Message" or "Message" in shape.members)]
            skip = {m for m in shape.members if m.lower() == "message" and m != "Message"}
            self.structure(shape, own, "Error", skip)
            return
        for k in texts.keys() - members:
            self.report("Error." + k, "is no member of the error")

    def pairs(self, node):
        if node.text and node.text.strip():
            self.report(self.local(node), f"holds text beside its members: {node.text.strip()[:40]!r}")
        return [(self.local(c), c) for c in node]

    def value(self, shape, node, path):
        kind = shape.type_name
        if kind == "structure":
            self.structure(shape, self.pairs(node), path)
        elif kind == "list":
            if shape.serialization.get("flattened"):
                self.value(shape.member, node, path)
                return
            want = shape.member.serialization.get("name", "member")
            for i, (name, child) in enumerate(self.pairs(node)):
                if name != want:
                    self.report(f"{path}.{i}", f"is a {name}, want {want}")
                self.value(shape.member, child, f"{path}.{i}")
        elif kind == "map":
            key, value = shape.key.serialization.get("name", "key"), shape.value.serialization.get("name", "value")
            for name, entry in self.pairs(node):
                parts = self.pairs(entry)
                if name != "entry" or [k for k, _ in parts] != [key, value]:
                    self.report(path, f"holds a {name} of {[k for k, _ in parts]}")
                    continue
                self.value(shape.key, parts[0][1], path + ".key")
                self.value(shape.value, parts[1][1], f"{path}.{parts[0][1].text}")
        else:
            text = node.text or ""
            if len(node) > 0:
                self.report(path, f"holds elements; it is a {kind}")
            elif not XML_SCALARS[kind].fullmatch(text):
                self.report(path, f"is {text!r}, which is no {kind}")
            elif kind == "string":
                self.enum(shape, text, path)


class JSON(Check):
    """REST-JSON and JSON 1.1: they differ in where members are and in how an error is named."""

    def elsewhere(self, shape):
        places = ("header", "headers", "statusCode")
        return {m for m, s in shape.members.items() if s.serialization.get("location") in places}

    def load(self, body):
        def once(pairs):
            names = [k for k, _ in pairs]
            if len(names) != len(set(names)):
                raise ValueError(f"a member is there twice: {names}")
            return dict(pairs)

        return json.loads(body, object_pairs_hook=once)

    def output(self, status, headers, body):
        want = self.operation.http.get("responseCode", 200)
        if status != want:
            self.report("", f"has status {status}; the model says {want}")
        shape = self.operation.output_shape
        document = self.load(body) if body else {}
        if shape is None:
            if document != {}:
                self.report("", "has a body; the operation has no output")
            return
        if shape.serialization.get("payload"):
            self.value(shape.members[shape.serialization["payload"]], document, "")
            return
        skip = self.elsewhere(shape)
        for m in skip & set(shape.required_members):
            name = shape.members[m].serialization.get("name", m)
            if shape.members[m].serialization["location"] == "header" and name.lower() not in {k.lower() for k in headers}:
                self.report(m, "is missing, a header")
        if not isinstance(document, dict):
            self.report("", "is no object")
            return
        self.structure(shape, document.items(), "", skip)

    def error(self, status, headers, body):
        document = self.load(body)
        name = document.pop("__type", None) if self.protocol == "json" else headers.get("x-amzn-errortype")
        if not name:
            self.report("", "does not name its error")
            return
        shape = self.declared(name.split(":")[0].split("#")[-1], status)
        text = [k for k in document if k.lower() == "message"]
        if len(text) != 1 or not document[text[0]]:
            self.report("message", "is missing")
        if shape is None:
            for k in document.keys() - set(text):
                self.report(k, "is no member of the error")
            return
        has_text = any(m.lower() == "message" for m in shape.members)
        own = [(k, v) for k, v in document.items() if has_text or k not in text]
        self.structure(shape, own, "", self.elsewhere(shape))

    def value(self, shape, value, path):
        kind = shape.type_name
        if getattr(shape, "is_document_type", False):
            return
        if kind == "structure" and isinstance(value, dict):
            self.structure(shape, value.items(), path)
        elif kind == "list" and isinstance(value, list):
            for i, v in enumerate(value):
                self.value(shape.member, v, f"{path}.{i}")
        elif kind == "map" and isinstance(value, dict):
            for k, v in value.items():
                self.enum(shape.key, k, f"{path}.{k}")
                self.value(shape.value, v, f"{path}.{k}")
        elif not self.scalar(shape, kind, value):
            self.report(path, f"is {str(value)[:60]!r}, which is no {kind}")
        elif kind == "string":
            self.enum(shape, value, path)

    def scalar(self, shape, kind, value):
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if kind in ("integer", "long"):
            return number and isinstance(value, int)
        if kind in ("float", "double"):
            return number
        if kind == "boolean":
            return isinstance(value, bool)
        if kind == "timestamp":
            return number if shape.serialization.get("timestampFormat") in (None, "unixTimestamp") else isinstance(value, str)
        if kind == "blob":
            try:
                return isinstance(value, str) and base64.b64decode(value, validate=True) is not None
            except binascii.Error:
                return False
        return kind == "string" and isinstance(value, str)
