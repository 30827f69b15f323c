#!/usr/bin/env bash
# MiniStack 1.5.33: CloudFormation answers CREATE_COMPLETE for DynamoDB tables whose template asks for time to live and
# point-in-time recovery, and switches on neither: not for AWS::DynamoDB::Table, not for AWS::DynamoDB::GlobalTable.
# A green deployment there says nothing about what protects a table.
# Output seen: "stack CREATE_COMPLETE", then "time to live DISABLED recovery DISABLED" for both tables.
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

key = {"AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
       "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}], "BillingMode": "PAY_PER_REQUEST",
       "TimeToLiveSpecification": {"AttributeName": "expires", "Enabled": True}}
recovery = {"PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True}}
template = {"Resources": {
    "Plain": {"Type": "AWS::DynamoDB::Table", "Properties": {"TableName": "plain", **key, **recovery}},
    "Global": {"Type": "AWS::DynamoDB::GlobalTable", "Properties": {
        "TableName": "global", **key, "Replicas": [{"Region": "us-east-1", **recovery}]}}}}
cloudformation, dynamodb = boto3.client("cloudformation"), boto3.client("dynamodb")
for _ in range(100):
    try:
        cloudformation.create_stack(StackName="one", TemplateBody=json.dumps(template))
        break
    except EndpointConnectionError:
        time.sleep(0.2)
for _ in range(100):
    status = cloudformation.describe_stacks(StackName="one")["Stacks"][0]["StackStatus"]
    if not status.endswith("IN_PROGRESS"):
        break
    time.sleep(0.2)
print("stack", status)
seen = {}
for name in ("plain", "global"):
    ttl = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]["TimeToLiveStatus"]
    backups = dynamodb.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    pitr = backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"]
    seen[name] = (ttl, pitr)
    print(name, "time to live", ttl, "recovery", pitr)
assert status == "CREATE_COMPLETE", status
assert seen == {"plain": ("DISABLED", "DISABLED"), "global": ("DISABLED", "DISABLED")}, "the behaviour has changed"
PYTHON
