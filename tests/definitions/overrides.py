"""Prints the parameters that `sam deploy` hands to CloudFormation, as JSON.

usage: overrides.py ARGUMENT OF SAM DEPLOY...

SAM CLI reads arguments and configuration file itself; nothing is deployed.
"""

import json
import sys

import click
from samcli.commands.deploy.command import cli

if __name__ == "__main__":
    with click.Context(click.Group("sam"), info_name="sam") as sam:
        read = cli.make_context("deploy", sys.argv[1:], parent=sam)
    json.dump(read.params["parameter_overrides"], sys.stdout)
