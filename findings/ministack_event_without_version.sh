#!/usr/bin/env bash
# MiniStack 1.5.33: an upload to a versioned bucket raises two events where a queue and EventBridge are both asked for.
# The record in the queue names the version; the event of EventBridge, with the same sequencer, does not, though on AWS
# it does (Amazon S3 User Guide, "EventBridge event message structure"). A consumer that takes the version from the
# event always takes its way for unversioned buckets there.
# Output seen: "record: a version id", "event: no version id", "the same sequencer: True".
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
import json, time, boto3
from botocore.exceptions import EndpointConnectionError

s3, sqs, events = boto3.client("s3"), boto3.client("sqs"), boto3.client("events")
for _ in range(100):
    try:
        s3.create_bucket(Bucket="one")
        break
    except EndpointConnectionError:
        time.sleep(0.2)
s3.put_bucket_versioning(Bucket="one", VersioningConfiguration={"Status": "Enabled"})
urls = {name: sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("records", "events")}
arn = "arn:aws:sqs:us-east-1:000000000000:"
s3.put_bucket_notification_configuration(Bucket="one", NotificationConfiguration={
    "EventBridgeConfiguration": {},
    "QueueConfigurations": [{"QueueArn": arn + "records", "Events": ["s3:ObjectCreated:*"]}]})
events.put_rule(Name="uploads", EventPattern=json.dumps({"source": ["aws.s3"], "detail-type": ["Object Created"]}))
events.put_targets(Rule="uploads", Targets=[{"Id": "queue", "Arn": arn + "events"}])
version = s3.put_object(Bucket="one", Key="key", Body=b"content")["VersionId"]

def received(name):
    for _ in range(50):
        for message in sqs.receive_message(QueueUrl=urls[name], WaitTimeSeconds=1).get("Messages", []):
            sqs.delete_message(QueueUrl=urls[name], ReceiptHandle=message["ReceiptHandle"])
            body = json.loads(message["Body"])
            if "Records" in body:
                return body["Records"][0]["s3"]["object"]
            if "detail" in body:
                return body["detail"]["object"]
    raise SystemExit(f"nothing came to {name}")

record, event = received("records"), received("events")
print("record:", "a version id" if record.get("versionId") == version else "no version id")
print("event:", "a version id" if "version-id" in event else "no version id")
print("the same sequencer:", record["sequencer"] == event["sequencer"])
assert record["versionId"] == version and "version-id" not in event, "the behaviour has changed"
assert record["sequencer"] == event["sequencer"], "the behaviour has changed"
PYTHON
