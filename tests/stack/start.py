"""Starts MiniStack so that S3's events carry what they carry on AWS.

EventBridge events of a versioned bucket name the version (Amazon S3 User Guide, "EventBridge event message
structure"). MiniStack knows it when it makes such an event, and leaves it out.
"""

import contextvars
import inspect
import json

from ministack.app import main
from ministack.services import eventbridge, s3

VERSION = contextvars.ContextVar("version", default=None)
fire, dispatch = s3._fire_s3_event, eventbridge._dispatch_event
ARGUMENTS = inspect.signature(fire)


def fire_with_version(*args, **kwargs):
    version = ARGUMENTS.bind(*args, **kwargs).arguments.get("version_id")
    token = VERSION.set(version)
    try:
        fire(*args, **kwargs)
    finally:
        VERSION.reset(token)


def dispatch_with_version(event, *args):
    version = VERSION.get()
    if version not in (None, "null") and event.get("Source") == "aws.s3":
        detail = json.loads(event["Detail"])
        detail["object"].setdefault("version-id", version)
        event = {**event, "Detail": json.dumps(detail)}
    dispatch(event, *args)


s3._fire_s3_event = fire_with_version
eventbridge._dispatch_event = dispatch_with_version
main()
