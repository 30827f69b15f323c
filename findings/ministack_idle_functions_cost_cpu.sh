#!/usr/bin/env bash
# MiniStack 1.5.33: each environment of a function with a `provided` runtime that waits for its next call looks for one
# ten times a second, in the server's own process, and is kept for 300 s. After a burst of 60 calls at once a server that
# does nothing uses many times the CPU that it used before. LAMBDA_WARM_TTL_SECONDS ends them sooner.
# Output seen: "idle, of one core: under 2 % before 60 calls at once, over 5 times that after them".
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
"$work/venv/bin/python" - "$pid" <<'PYTHON'
import concurrent.futures, io, json, os, sys, time, zipfile, boto3
from botocore.config import Config
from botocore.exceptions import EndpointConnectionError

CALLS = 60
SECONDS = 10
BOOTSTRAP = """#!/usr/bin/env python3
import http.client, os, time
def ask(method, path, body=None):
    api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    api.request(method, "/2018-06-01/runtime/invocation/" + path, body)
    answer = api.getresponse()
    return answer.headers, answer.read()
while True:
    headers, body = ask("GET", "next")
    time.sleep(5)
    ask("POST", headers["Lambda-Runtime-Aws-Request-Id"] + "/response", body)
"""

def used():
    with open(f"/proc/{sys.argv[1]}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

def idle():
    before = used()
    time.sleep(SECONDS)
    return (used() - before) / SECONDS

code = io.BytesIO()
with zipfile.ZipFile(code, "w") as packed:
    entry = zipfile.ZipInfo("bootstrap")
    entry.external_attr = 0o100755 << 16
    packed.writestr(entry, BOOTSTRAP)
functions = boto3.client("lambda", config=Config(max_pool_connections=CALLS, read_timeout=300))
for _ in range(100):
    try:
        functions.create_function(
            FunctionName="echo", Runtime="provided.al2023", Handler="bootstrap", Timeout=120,
            Role="arn:aws:iam::000000000000:role/echo", Code={"ZipFile": code.getvalue()})
        break
    except EndpointConnectionError:
        time.sleep(0.2)
functions.get_waiter("function_active_v2").wait(FunctionName="echo")

def call(number):
    answer = functions.invoke(FunctionName="echo", Payload=json.dumps(number))
    assert json.load(answer["Payload"]) == number
call(0)
time.sleep(2)
before = idle()
with concurrent.futures.ThreadPoolExecutor(CALLS) as pool:
    list(pool.map(call, range(CALLS)))
time.sleep(2)
after = idle()
print(f"{before:.3f} {after:.3f}", file=sys.stderr)
assert before < 0.02 and after > 5 * before, "the behaviour has changed"
print(f"idle, of one core: under 2 % before {CALLS} calls at once, over 5 times that after them")
PYTHON
