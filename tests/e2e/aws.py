"""Runs one command of the AWS CLI by the service models of botocore: what the documents show is what tests run.

usage: aws.py SERVICE OPERATION [--option VALUE ...] [--query EXPRESSION] [--output text]

Knows the options that the documents use: texts, numbers, switches, lists, structures as JSON or as A=b,C=d.
"""

import json
import sys

import jmespath
from botocore import xform_name
from botocore.session import Session


def structure(shape, text):
    if text.startswith("{"):
        return json.loads(text)
    pairs = dict(pair.split("=", 1) for pair in text.split(","))
    return {name: value(shape.members[name], [text]) for name, text in pairs.items()}


def value(shape, texts):
    if shape.type_name == "list":
        return [value(shape.member, [text]) for text in texts]
    (text,) = texts
    if shape.type_name == "structure":
        return structure(shape, text)
    if shape.type_name == "boolean":
        return {"true": True, "false": False}[text]
    if shape.type_name in ("integer", "long"):
        return int(text)
    return text


def options(words):
    """Each option with the words behind it."""
    found = []
    for word in words:
        if word.startswith("--"):
            found.append((word[2:], []))
        else:
            found[-1][1].append(word)
    return dict(found)


def printed(answer, output):
    if output != "text":
        print(json.dumps(answer, indent=4))
    elif isinstance(answer, list):
        for row in answer:
            print("\t".join(map(str, row)) if isinstance(row, list) else row)
    else:
        print(answer)


def main(service, operation, *words):
    client = Session().create_client(service)
    if operation == "wait":
        name, *words = words
        given = {"".join(part.title() for part in key.split("-")): it[0] for key, it in options(words).items()}
        client.get_waiter(name.replace("-", "_")).wait(**given)
        return
    method = operation.replace("-", "_")
    model = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[method])
    members = {xform_name(name, "-"): (name, shape) for name, shape in model.input_shape.members.items()}
    given = options(words)
    query, output = given.pop("query", None), given.pop("output", ["json"])[0]
    arguments = {}
    for key, texts in given.items():
        off = key.startswith("no-") and key not in members
        name, shape = members[key[3:] if off else key]
        if shape.type_name == "boolean" and not texts:
            texts = ["false" if off else "true"]
        arguments[name] = value(shape, texts)
    if client.can_paginate(method):
        answer = client.get_paginator(method).paginate(**arguments).build_full_result()
    else:
        answer = getattr(client, method)(**arguments)
        answer.pop("ResponseMetadata")
    # Times as text, as the AWS CLI has them: they can be sorted.
    answer = json.loads(json.dumps(answer, default=str))
    if query:
        answer = jmespath.search(query[0], answer)
    if answer not in (None, {}):
        printed(answer, output)


if __name__ == "__main__":
    main(*sys.argv[1:])
