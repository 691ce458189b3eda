"""Calls with boto3, whose every answer is held against the service's model."""

import boto3
import botocore.exceptions
from botocore import xform_name

import model
from shapes import filled


class Calls:
    def __init__(self):
        self.clients = {}
        self.answers = []  # what came over the wire for the current call

    def make(self, client, operation, input, profile, credentials):
        c = self.client(client, profile, credentials)
        shape = c.meta.service_model.operation_model(operation).input_shape
        self.answers.clear()
        result = {}
        try:
            result["output"] = getattr(c, xform_name(operation))(**filled(shape, input))
            result["output"].pop("ResponseMetadata", None)
        except botocore.exceptions.ClientError as e:
            known = ("Error", "ResponseMetadata")
            members = {k: v for k, v in e.response.items() if k not in known}
            members.update({k: v for k, v in e.response["Error"].items() if k not in ("Code", "Message", "Type")})
            result["error"] = {
                "code": e.response["Error"]["Code"],
                "message": e.response["Error"].get("Message", ""),
                "members": members,
            }
        result["problems"] = [p for a in self.answers for p in model.problems(*a)]
        return result

    def client(self, name, profile, credentials):
        key = (name, profile, (credentials or {}).get("accessKeyId"), (credentials or {}).get("sessionToken"))
        if key not in self.clients:
            keys = credentials or {}
            session = boto3.Session(
                profile_name=profile,
                aws_access_key_id=keys.get("accessKeyId"),
                aws_secret_access_key=keys.get("secretAccessKey"),
                aws_session_token=keys.get("sessionToken"),
            )
            c = session.client(name)
            c.meta.events.register("before-parse.*.*", self.arrived)
            self.clients[key] = c
        return self.clients[key]

    def arrived(self, operation_model, response_dict, **_):
        if not operation_model.has_streaming_output:
            self.answers.append((operation_model, response_dict))
