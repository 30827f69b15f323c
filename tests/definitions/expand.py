"""Prints a SAM template as CloudFormation gets it, as JSON.

usage: expand.py TEMPLATE [REGION]

Code stands as an S3 address, state machines stand in the template, so that what is linted is whole.
"""

import json
import os
import sys

os.environ["AWS_DEFAULT_REGION"] = sys.argv[2] if len(sys.argv) > 2 else "us-east-1"

import boto3
from samcli.yamlhelper import yaml_parse
from samtranslator.translator.transform import transform


class NoManagedPolicies:
    """Names of managed policies stay as the translator's own table has them."""

    def load(self):
        return {}


def expanded(path):
    with open(path, encoding="utf-8") as file:
        template = yaml_parse(file.read())
    folder = os.path.dirname(os.path.abspath(path))
    defaults = {name: str(it.get("Default", "")) for name, it in template["Parameters"].items()}
    defaults["AWS::Partition"] = boto3.Session().get_partition_for_region(os.environ["AWS_DEFAULT_REGION"])
    for resource in template["Resources"].values():
        properties = resource.get("Properties", {})
        if "CodeUri" in properties:
            properties["CodeUri"] = "s3://code/bootstrap.zip"
        if "DefinitionUri" in properties:
            with open(os.path.join(folder, properties.pop("DefinitionUri")), encoding="utf-8") as file:
                definition = file.read()
            for name, value in properties.get("DefinitionSubstitutions", {}).items():
                if not isinstance(value, str):
                    value = defaults.get(value.get("Ref"))
                if value is not None:
                    definition = definition.replace("${" + name + "}", value)
            properties["Definition"] = json.loads(definition)
    template = transform(template, {}, NoManagedPolicies())
    for resource in template["Resources"].values():
        joined = resource.get("Properties", {}).get("DefinitionString", {}).get("Fn::Join")
        if joined:
            # Over a thousand lines: a linter that recurses over them runs out of stack.
            resource["Properties"]["DefinitionString"] = joined[0].join(joined[1])
    return template


if __name__ == "__main__":
    json.dump(expanded(sys.argv[1]), sys.stdout, indent=1)
