"""Packs Lambda binaries as zip files, each only when its content changed.

usage: pack.py BINARY ZIP [BINARY ZIP...]

The digest of the binary is the zip file's comment, so an unchanged one is told without a second
file. A relinked but equal binary leaves its zip file untouched, and with it everything that
depends on it. The entry's date is fixed: equal binaries make equal zip files.
"""

import hashlib
import os
import sys
import zipfile


def packed_digest(path):
    try:
        with zipfile.ZipFile(path) as packed:
            return packed.comment
    except (OSError, zipfile.BadZipFile):
        return b""


def pack(binary, path):
    with open(binary, "rb") as file:
        content = file.read()
    digest = hashlib.sha256(content).hexdigest().encode()
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
    for binary, path in zip(arguments[::2], arguments[1::2]):
        pack(binary, path)
