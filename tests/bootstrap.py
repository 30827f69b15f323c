"""Looks at Lambda bootstraps: size, symbols, newest glibc they need, time to the first poll, names of errors.

usage: bootstrap.py [--check] [--runs N] FILE...
       bootstrap.py --errors FILE

--errors runs the bootstrap of Notify through events that it answers, refuses and cannot read, through one after which
it ends, and without a setting, and fails where an error has another name than the state machine expects. Of the others
each name is made by the same code.

--check fails where a file is larger than 20 MiB, has a symbol table, or needs a glibc newer than 2.34, the one
of Amazon Linux 2023 (Lambda Developer Guide, "OS-only runtimes": provided.al2023).

The time is from the start of the process until it asks the Runtime API, here a listener on loopback, for its
first event: what a cold start adds to Lambda's own, on this machine. Median of N runs (21), for files of this
machine's architecture; the first run, which reads the file from disk, does not count.
"""

import argparse
import http.server
import json
import os
import pathlib
import platform
import re
import socket
import statistics
import struct
import subprocess
import sys
import threading
import time

SIZE_MAX = 20 * 1024 * 1024
GLIBC_MAX = (2, 34)
MACHINES = {0x3E: "x86_64", 0xB7: "arm64"}
SHT_SYMTAB = 2
DYNSTR = ".dynstr"


def read_elf(path):
    """Architecture, whether there is a symbol table, newest glibc version."""
    with open(path, "rb") as file:
        data = file.read()
    if data[:6] != b"\x7fELF\x02\x01":
        sys.exit(f"{path} is no 64-bit ELF file: Lambda could not run it")
    machine = struct.unpack_from("<H", data, 18)[0]
    offset = struct.unpack_from("<Q", data, 40)[0]
    size, count, names = struct.unpack_from("<HHH", data, 58)
    sections = [struct.unpack_from("<IIQQQQ", data, offset + at * size) for at in range(count)]
    names_at = sections[names][4]

    def name(section):
        start = names_at + section[0]
        return data[start : data.index(b"\0", start)].decode()

    symbols = any(section[1] == SHT_SYMTAB for section in sections)
    strings = b"".join(data[s[4] : s[4] + s[5]] for s in sections if name(s) == DYNSTR)
    versions = {tuple(map(int, found)) for found in re.findall(rb"GLIBC_(\d+)\.(\d+)", strings)}
    return MACHINES.get(machine, hex(machine)), symbols, max(versions, default=(0, 0))


def settings():
    """What the template hands to any function, by name: a text as it stands there, else a
    number."""
    template = pathlib.Path(__file__).resolve().parent.parent / "template.yaml"
    pairs = re.findall(r'^          ([A-Z][A-Z_]+): (?:"([^"]*)")?', template.read_text(), re.MULTILINE)
    return {name: text or "64" for name, text in pairs} | {"AUDIT_LEVEL": "listing"}


def environment(port):
    """What Lambda and the template give a function whose Runtime API listens on this port of loopback."""
    return {
        "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{port}",
        "AWS_LAMBDA_FUNCTION_NAME": "measured",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "AWS_LAMBDA_FUNCTION_VERSION": "1",
        "AWS_LAMBDA_LOG_GROUP_NAME": "none",
        "AWS_LAMBDA_LOG_STREAM_NAME": "none",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        # Nothing listens there: an event of these asks for no call.
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        **settings(),
    }


def first_poll_ms(path):
    """Milliseconds from the start of the process to its first request."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)
        port = listener.getsockname()[1]
        begun = time.perf_counter()
        process = subprocess.Popen([os.path.abspath(path)], env=environment(port), stdout=subprocess.DEVNULL)
        try:
            connection, _ = listener.accept()
            with connection:
                request = connection.recv(4096)
            took = time.perf_counter() - begun
        except TimeoutError:
            sys.exit(f"{path} did not ask for an event within 10 s")
        finally:
            process.kill()
            process.wait()
    if b"/runtime/invocation/next" not in request:
        sys.exit(f"{path} asked for something else first: {request[:80]!r}")
    return took * 1000


class RuntimeApi(http.server.ThreadingHTTPServer):
    """Hands out events one after another and keeps what is answered: (kind, document)."""

    def __init__(self, events):
        super().__init__(("127.0.0.1", 0), RuntimeApiHandler)
        self.events = list(events)
        self.answers = []
        self.answered_all = threading.Event()
        threading.Thread(target=self.serve_forever, daemon=True).start()


class RuntimeApiHandler(http.server.BaseHTTPRequestHandler):
    """The three calls of the Runtime API that an invocation makes (Lambda Developer Guide, "Runtime API")."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if not self.server.events:
            self.server.answered_all.set()
            return threading.Event().wait()  # no event: Lambda lets the call hang
        body, deadline = self.server.events.pop(0)
        headers = {
            "Lambda-Runtime-Aws-Request-Id": "8476a536-e9f4-11e8-9739-2dfe598c3fcd",
            "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:us-east-1:111122223333:function:measured",
        }
        if deadline:
            headers["Lambda-Runtime-Deadline-Ms"] = str(round((time.time() + 60) * 1000))
        return self.answer(200, body, headers)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])) if "Content-Length" in self.headers else self.chunks()
        self.server.answers.append((self.path.rsplit("/", 1)[1], json.loads(body)))
        self.answer(202, b"{}", {})

    def chunks(self):
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def answer(self, status, body, headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def asked(path, events, without=None):
    """Runs a bootstrap through these events: its answers, and the status it ended with by itself, if it did."""
    with RuntimeApi(events) as api:
        variables = environment(api.server_port)
        variables.pop(without, None)
        process = subprocess.Popen(
            [os.path.abspath(path)], env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        limit = time.monotonic() + 20
        while not api.answered_all.wait(0.05) and process.poll() is None:
            if time.monotonic() > limit:
                process.kill()
                sys.exit(f"{path} neither answers nor ends: {api.answers}")
        status = process.poll()
        process.kill()
        process.wait()
        api.shutdown()
        return api.answers, status


# The runtime names what it cannot read after its own type, with a `&`. ErrorEquals would have to repeat it, so
# no state does: States.ALL takes it.
UNREADABLE = "&lambda_runtime::deserializer::DeserializeError"
# A Rust process that unwinds out of main; -6 would be SIGABRT, of panic=abort.
UNWOUND = 101


def check_errors(path):
    """Problems with the names of errors."""
    events = pathlib.Path(__file__).resolve().parent.parent / "events/functions"
    task = json.loads((events / "notify.json").read_text())
    task["notify"] = "none"
    failed = json.loads(json.dumps(task))
    cause = {"error": "AccessDenied", "object": None, "destination": "primary", "message": "m", "advice": "a"}
    failed["outcomes"] = [{"destination": "primary", "outcome": "failed", "cause": cause}]
    sent = [
        (json.dumps(task).encode(), "response", None),
        (json.dumps(failed).encode(), "error", "BackupFailed"),
        (b"{}", "error", "InvalidEvent"),
        (b"[1", "error", UNREADABLE),
    ]
    answers, status = asked(path, [(body, True) for body, _, _ in sent])
    problems = [] if status is None else [f"{path} ended with {status} after {len(answers)} answers"]
    if len(answers) != len(sent):
        return problems + [f"{path} gave {len(answers)} answers to {len(sent)} events: {answers}"]
    for (body, kind, name), (answered, document) in zip(sent, answers):
        found = document.get("errorType") if answered == "error" else None
        print(f"{body[:20]!r}…: {answered}, {found}")
        if (answered, found) != (kind, name):
            problems.append(f"{path} answers {answered}, {found} to {body[:80]!r}: expected {kind}, {name}")
        if answered == "error" and name != UNREADABLE and json.loads(document["errorMessage"])["error"] is None:
            problems.append(f"{path}: the cause of {name} names no error")

    # The runtime panics outside of any handler: a panic that unwinds ends the process with 101.
    answers, status = asked(path, [(b"{}", False)])
    print(f"a panic: the process ends with {status}, {len(answers)} answers; Lambda names that Runtime.ExitError")
    if status != UNWOUND or answers:
        problems.append(f"{path} ends with {status} after a panic: panics abort, so that none is caught and named")
    answers, status = asked(path, [], without="CATALOG_TABLE")
    print(f"without a setting: the process ends with {status}; Lambda names that Runtime.ExitError")
    if status in (None, 0):
        problems.append(f"{path} runs without CATALOG_TABLE")
    return problems


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--errors", action="store_true")
    parser.add_argument("--runs", type=int, default=21)
    parser.add_argument("files", nargs="+")
    options = parser.parse_args()

    here = {"aarch64": "arm64"}.get(platform.machine(), platform.machine())
    if options.errors:
        problems = [problem for path in options.files for problem in check_errors(path)]
        sys.exit("\n".join(problems) or None)
    problems = []
    for path in options.files:
        machine, symbols, glibc = read_elf(path)
        size = os.path.getsize(path)
        needs = "glibc {}.{}".format(*glibc)
        line = f"{path}: {machine}, {size / 1e6:.1f} MB, {'not stripped' if symbols else 'stripped'}, {needs}"
        if machine == here:
            first_poll_ms(path)
            times = [first_poll_ms(path) for _ in range(options.runs)]
            line += f", first poll after {statistics.median(times):.1f} ms"
        print(line)
        if size > SIZE_MAX:
            problems.append(f"{path} is larger than {SIZE_MAX} bytes")
        if symbols:
            problems.append(f"{path} has a symbol table: the release profile strips it")
        if glibc > GLIBC_MAX:
            problems.append(f"{path} needs {needs}: provided.al2023 has 2.34")
    if options.check and problems:
        sys.exit("\n".join(problems))


if __name__ == "__main__":
    main()
