#!/usr/bin/env bash
# MiniStack 1.5.33: CopyObject is made without the Object Lock and the condition that PutObject is made with. In a bucket
# with a default retention an uploaded version is locked; a copied one is not, not even where the request asks for a
# retention, and can be deleted. "If-None-Match: *" is refused for PutObject where an object is, and ignored for CopyObject.
# On AWS both are kept (Amazon S3 API Reference, "CopyObject").
# Output seen: "PutObject: locked, condition kept", "CopyObject: not locked, condition ignored".
set -euo pipefail
work=$(mktemp -d)
trap 'kill "${pid:-}" 2>/dev/null || true; rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -q --disable-pip-version-check install "ministack==1.5.33" "boto3==1.43.106"
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
GATEWAY_PORT=$port BIND_HOST=127.0.0.1 "$work/venv/bin/ministack" >"$work/log" 2>&1 &
pid=$!
export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_DEFAULT_REGION=us-east-1
export AWS_ENDPOINT_URL="http://127.0.0.1:$port"
"$work/venv/bin/python" - <<'PYTHON'
import datetime, time, boto3
from botocore.exceptions import ClientError, EndpointConnectionError

s3 = boto3.client("s3")
for _ in range(100):
    try:
        s3.create_bucket(Bucket="source")
        break
    except EndpointConnectionError:
        time.sleep(0.2)
s3.put_object(Bucket="source", Key="key", Body=b"content")
s3.create_bucket(Bucket="locked", ObjectLockEnabledForBucket=True)
s3.put_object_lock_configuration(Bucket="locked", ObjectLockConfiguration={
    "ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}})
until = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=2)
asked = {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": until}
source = {"CopySource": {"Bucket": "source", "Key": "key"}}

def is_locked(key, version):
    try:
        s3.delete_object(Bucket="locked", Key=key, VersionId=version)
        return False
    except ClientError as error:
        assert error.response["Error"]["Code"] == "AccessDenied", error
        return True

def is_refused(make, **parameters):
    try:
        make(Bucket="source", Key="key", IfNoneMatch="*", **parameters)
        return False
    except ClientError as error:
        assert error.response["Error"]["Code"] == "PreconditionFailed", error
        return True

put = s3.put_object(Bucket="locked", Key="put", Body=b"content")["VersionId"]
copies = [s3.copy_object(Bucket="locked", Key="copy", **source, **lock)["VersionId"] for lock in ({}, asked)]
seen = {
    "PutObject": (is_locked("put", put), is_refused(s3.put_object, Body=b"other")),
    "CopyObject": (any(is_locked("copy", copy) for copy in copies),
                   is_refused(s3.copy_object, CopySource={"Bucket": "locked", "Key": "put"})),
}
for name, (locked, refused) in seen.items():
    print(f"{name}: {'locked' if locked else 'not locked'}, condition {'kept' if refused else 'ignored'}")
assert seen == {"PutObject": (True, True), "CopyObject": (False, False)}, "the behaviour has changed"
PYTHON
