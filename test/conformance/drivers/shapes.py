"""Inputs of scenarios as a service's model wants them."""

import json


def filled(shape, value):
    """Writes an object, where the model has a string, as its JSON text: policy documents."""
    if shape is None:
        return value
    if shape.type_name == "string" and isinstance(value, (dict, list)):
        return json.dumps(value)
    if shape.type_name == "structure" and isinstance(value, dict):
        return {k: filled(shape.members.get(k), v) for k, v in value.items()}
    if shape.type_name == "list" and isinstance(value, list):
        return [filled(shape.member, v) for v in value]
    if shape.type_name == "map" and isinstance(value, dict):
        return {k: filled(shape.value, v) for k, v in value.items()}
    return value
