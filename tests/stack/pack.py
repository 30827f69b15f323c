"""Packs Lambda binaries as zip files, each only when its content changed.

usage: pack.py [--linked] BINARY ZIP [BINARY ZIP...]

With --linked a zip file holds a script that runs the binary where it is kept, beside the zip file and under its
digest: a stack that ends with its process neither uploads nor unpacks it.

The digest of the binary is the zip file's comment, so an unchanged one is told without a second
file. A relinked but equal binary leaves its zip file untouched, and with it everything that
depends on it. The entry's date is fixed: equal binaries make equal zip files.
"""

import hashlib
import os
import shlex
import shutil
import sys
import time
import zipfile

# Runs that are over need no binary any more.
LINKED_SECONDS = 3 * 60 * 60


def packed_digest(path):
    try:
        with zipfile.ZipFile(path) as packed:
            return packed.comment
    except (OSError, zipfile.BadZipFile):
        return b""


def link(binary, folder, digest):
    """Keeps the binary under its digest; returns the script that runs it."""
    os.makedirs(folder, exist_ok=True)
    kept = os.path.join(folder, digest)
    for other in os.scandir(folder):
        if other.name != digest and time.time() - other.stat().st_ctime > LINKED_SECONDS:
            os.remove(other.path)
    if not os.path.exists(kept):
        try:
            os.link(binary, kept + ".new")
        except OSError:
            shutil.copy2(binary, kept + ".new")
        os.replace(kept + ".new", kept)
    return f'#!/bin/sh\nexec {shlex.quote(os.path.abspath(kept))} "$@"\n'.encode()


def pack(binary, path, linked):
    with open(binary, "rb") as file:
        content = file.read()
    digest = hashlib.sha256(content).hexdigest().encode()
    if linked:
        content = link(binary, os.path.join(os.path.dirname(path), "linked"), digest.decode())
    if packed_digest(path) == digest:
        return
    entry = zipfile.ZipInfo("bootstrap")
    entry.external_attr = 0o100755 << 16
    entry.compress_type = zipfile.ZIP_DEFLATED
    # Level 1: this goes over loopback, so time counts and size does not.
    with zipfile.ZipFile(path + ".new", "w", compresslevel=1) as packed:
        packed.writestr(entry, content, compresslevel=1)
        packed.comment = digest
    os.replace(path + ".new", path)


if __name__ == "__main__":
    arguments = sys.argv[1:]
    linked = arguments[:1] == ["--linked"]
    if linked:
        arguments = arguments[1:]
    for binary, path in zip(arguments[::2], arguments[1::2]):
        pack(binary, path, linked)
