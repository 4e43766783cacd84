#!/usr/bin/env python3
"""Writes sbom.cdx.json: what is inside the Python image, as a CycloneDX 1.6 bill of materials, from lock.toml alone.

usage: sbom.py [--check]     --check writes nothing and fails if the file is not what lock.toml says
"""
import json
import os
import re
import sys
import tomllib
from urllib.parse import quote

IMAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TARGET = os.path.join(IMAGE, 'sbom.cdx.json')


def purl(source):
    """The package URL of a source (github.com/package-url/purl-spec)."""
    if source['origin'] == 'PyPI' and source.get('file'):
        return f'pkg:pypi/{re.sub(r"[-_.]+", "-", source["name"]).lower()}@{quote(source["version"])}'
    if source['origin'] == 'Debian' and source.get('path'):
        package, version = re.match(r'(.+?)_(.+?)\.orig', source['path'].rsplit('/', 1)[-1]).groups()
        return f'pkg:deb/debian/{package}@{quote(version)}?arch=source'
    if source['origin'] == 'npm':
        package = source['path'].split('/-/')[0]
        return f'pkg:npm/{package.replace("@", "%40")}@{quote(source["version"])}'
    return None


def component(source):
    entry = {'type': 'library', 'name': source['name'], 'version': source['version'],
             'licenses': [{'expression': source['licence']}]}
    if source.get('sha256'):
        entry['hashes'] = [{'alg': 'SHA-256', 'content': source['sha256']}]
    use = source.get('use', '')
    if name := purl(source):
        entry['purl'] = entry['bom-ref'] = name
    if use:
        entry['description'] = use
    if use.startswith(('tool', 'not in the image')):
        entry['scope'] = 'excluded'
    return entry


def document():
    with open(os.path.join(IMAGE, 'lock.toml'), 'rb') as file:
        lock = tomllib.load(file)
    with open(os.path.join(IMAGE, 'image.toml'), 'rb') as file:
        image = tomllib.load(file)
    built = {entry['file']: entry['sha256'] for entry in lock['built']}
    subject = {'type': 'container', 'name': f'glovebox-image-{image["name"]}', 'version': image['version'],
               'licenses': [{'expression': image['licence']}],
               'properties': [{'name': f'sha256:{file}', 'value': digest} for file, digest in sorted(built.items())]}
    components = sorted((component(source) for source in lock['source']), key=lambda entry: entry['name'].lower())
    bill = {'bomFormat': 'CycloneDX', 'specVersion': '1.6', 'version': 1, 'metadata': {'component': subject}, 'components': components}
    return json.dumps(bill, indent=1, ensure_ascii=False) + '\n'


def main(arguments):
    text = document()
    if arguments == ['--check']:
        with open(TARGET) as file:
            if file.read() != text:
                raise SystemExit('sbom.cdx.json is not what lock.toml says: run recipe/sbom.py')
    elif arguments:
        raise SystemExit(__doc__)
    else:
        with open(TARGET, 'w') as file:
            file.write(text)


if __name__ == '__main__':
    main(sys.argv[1:])
