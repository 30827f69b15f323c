"""Looks at Lambda bootstraps: size, symbols, newest glibc they need, time to the first poll.

usage: bootstrap.py [--check] [--runs N] FILE...

--check fails where a file is larger than 20 MiB, has a symbol table, or needs a glibc newer than 2.34, the one
of Amazon Linux 2023 (Lambda Developer Guide, "OS-only runtimes": provided.al2023).

The time is from the start of the process until it asks the Runtime API, here a listener on loopback, for its
first event: what a cold start adds to Lambda's own, on this machine. Median of N runs (21), for files of this
machine's architecture; the first run, which reads the file from disk, does not count.
"""

import argparse
import os
import pathlib
import platform
import re
import socket
import statistics
import struct
import subprocess
import sys
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


def first_poll_ms(path):
    """Milliseconds from the start of the process to its first request."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)
        port = listener.getsockname()[1]
        environment = {
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{port}",
            "AWS_LAMBDA_FUNCTION_NAME": "measured",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
            "AWS_LAMBDA_FUNCTION_VERSION": "1",
            "AWS_LAMBDA_LOG_GROUP_NAME": "none",
            "AWS_LAMBDA_LOG_STREAM_NAME": "none",
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            **settings(),
        }
        begun = time.perf_counter()
        process = subprocess.Popen([os.path.abspath(path)], env=environment, stdout=subprocess.DEVNULL)
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


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--runs", type=int, default=21)
    parser.add_argument("files", nargs="+")
    options = parser.parse_args()

    here = {"aarch64": "arm64"}.get(platform.machine(), platform.machine())
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
