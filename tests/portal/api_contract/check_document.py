"""Holds an OpenAPI document, read from standard input, against the specification, and its examples against its schemas.

Ends with a sentence on standard error for each thing that is wrong.
"""

import json
import sys

import jsonschema_rs
from openapi_spec_validator import OpenAPIV31SpecValidator

document = json.load(sys.stdin)
problems = [
    f"{'/'.join(map(str, error.absolute_path))}: {error.message}"
    for error in OpenAPIV31SpecValidator(document).iter_errors()
]
checked = 0


def strict(schema):
    """The schema, allowing no member that it does not name: an example with one would be out of date."""
    if isinstance(schema, list):
        return [strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {name: value if name in ("enum", "example", "examples") else strict(value) for name, value in schema.items()}
    # `properties` itself may hold a member of that name.
    if isinstance(schema.get("properties"), dict) and schema.get("type") == "object":
        schema.setdefault("additionalProperties", False)
    return schema


def joined(schema):
    """`allOf` of objects as one object, because each part would refuse the members of the others."""
    parts = [resolved(part) for part in schema.get("allOf", [])]
    if not parts:
        return schema
    one = {"type": "object", "properties": {}, "required": []}
    for part in parts:
        one["properties"].update(part["properties"])
        one["required"] += part.get("required", [])
    return one


def resolved(schema):
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    return schema


schemas = {name: strict(joined(schema)) for name, schema in document["components"]["schemas"].items()}


def check(what, media):
    global checked
    if "example" not in media:
        problems.append(f"{what}: no example")
        return
    checked += 1
    root = {**media["schema"], "components": {"schemas": schemas}}
    validator = jsonschema_rs.Draft202012Validator(root, validate_formats=True)
    for error in validator.iter_errors(media["example"]):
        problems.append(f"{what}: {'/'.join(map(str, error.instance_path))}: {error.message}")


for path, item in document["paths"].items():
    for method, operation in item.items():
        what = f"{method.upper()} {path}"
        for media_type, media in operation.get("requestBody", {}).get("content", {}).items():
            check(f"{what} takes {media_type}", media)
        for status, response in operation["responses"].items():
            for media_type, media in response.get("content", {}).items():
                check(f"{what} answers {status} {media_type}", media)
for name, response in document["components"]["responses"].items():
    for media_type, media in response["content"].items():
        check(f"{name} {media_type}", media)

used = json.dumps(document)
for name in document["components"]["schemas"]:
    if f'"#/components/schemas/{name}"' not in used:
        problems.append(f"{name}: nothing points at this schema")

for problem in problems:
    print(problem, file=sys.stderr)
print(json.dumps({"examples": checked}))
sys.exit(bool(problems))
