#!/usr/bin/env python3
"""Put built files in place: compress the module, copy the rest, and write their digests into image.toml and lock.toml.

usage: seal.py DIR      DIR holds python.wasm, python-lib.zip and mpl-data.tar.zst
"""
import hashlib
import os
import re
import shutil
import subprocess
import sys

PARENT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FILES = ('python.wasm.zst', 'python-lib.zip', 'mpl-data.tar.zst')


def digest(path):
    with open(path, 'rb') as f:
        return hashlib.file_digest(f, 'sha256').hexdigest()


def replaced(text, pattern, value):
    text, count = re.subn(pattern, lambda m: m.group(1) + value + '"', text)
    if count != 1:
        raise SystemExit('expected one %s' % pattern)
    return text


def main(built):
    subprocess.run(['zstd', '-19', '-q', '-f', os.path.join(built, 'python.wasm'),
                    '-o', os.path.join(PARENT, 'python.wasm.zst')], check=True)
    for name in FILES[1:]:
        shutil.copyfile(os.path.join(built, name), os.path.join(PARENT, name))
    digests = {name: digest(os.path.join(PARENT, name)) for name in FILES}
    for toml in ('image.toml', 'lock.toml'):
        path = os.path.join(PARENT, toml)
        with open(path) as f:
            text = f.read()
        for name, value in digests.items():
            text = replaced(text, r'(file = "%s"\nsha256 = ")[0-9a-f]*"' % re.escape(name), value)
        text = replaced(text, r'(\nwasm_sha256 = ")[0-9a-f]*"', digest(os.path.join(built, 'python.wasm')))
        with open(path, 'w') as f:
            f.write(text)
    for name, value in digests.items():
        print(value, name, os.path.getsize(os.path.join(PARENT, name)))


if __name__ == '__main__':
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(sys.argv[1])
