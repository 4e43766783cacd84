#!/usr/bin/env python3
"""Put built files in place, write their digests into image.toml and lock.toml, the list of packages and the bill of materials.

usage: seal.py python.wasm python.wasm.zst library.tar.zst mpl-data.tar.zst
"""
import hashlib
import os
import re
import shutil
import sys
import tomllib

import sbom

PARENT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FILES = ('python.wasm.zst', 'library.tar.zst', 'mpl-data.tar.zst')


def digest(path):
    with open(path, 'rb') as f:
        return hashlib.file_digest(f, 'sha256').hexdigest()


def replaced(text, pattern, value):
    text, count = re.subn(pattern, lambda m: m.group(1) + value + '"', text)
    if count != 1:
        raise SystemExit('expected one %s' % pattern)
    return text


def packages():
    """image.toml's list: each package of which Python files are in the image."""
    with open(os.path.join(PARENT, 'lock.toml'), 'rb') as file:
        sources = tomllib.load(file)['source']
    found = {re.sub(r'[-_.]+', '-', source['name']).lower(): source['version']
             for source in sources if source['origin'] == 'PyPI' and re.match('(compiled, and )?(its )?Python files', source.get('use', ''))}
    return ''.join(f'{name} = "{version}"\n' for name, version in sorted(found.items()))


def main(module, *others):
    for path in others:
        shutil.copyfile(path, os.path.join(PARENT, os.path.basename(path)))
    digests = {name: digest(os.path.join(PARENT, name)) for name in FILES}
    for toml in ('image.toml', 'lock.toml'):
        path = os.path.join(PARENT, toml)
        with open(path) as f:
            text = f.read()
        for name, value in digests.items():
            text = replaced(text, r'(file = "%s"\nsha256 = ")[0-9a-f]*"' % re.escape(name), value)
        text = replaced(text, r'(\nwasm_sha256 = ")[0-9a-f]*"', digest(module))
        if toml == 'image.toml':
            text = text.partition('[packages]\n')[0] + '[packages]\n' + packages()
        with open(path, 'w') as f:
            f.write(text)
    sbom.main([])
    for name, value in digests.items():
        print(value, name, os.path.getsize(os.path.join(PARENT, name)))


if __name__ == '__main__':
    if len(sys.argv) != 5:
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
