#!/usr/bin/env python3
"""Pin packages of pure Python: lock.toml, wheels.txt, image.toml's list and the licences are brought up to date.

usage: pin.py FILE…       wheels, or source archives of pure Python, as `pip download --no-deps` leaves them
"""
import hashlib
import os
import re
import sys
import tarfile
import zipfile
from email.parser import Parser

IMAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LICENCE = re.compile(r'(^|/)(licen[cs]e|copying|apache-license|gpl-license|notice)[^/]*$', re.I)
# What the metadata does not say in the terms of SPDX.
NAMED = {
    'BSD': 'BSD-3-Clause', 'BSD License': 'BSD-3-Clause', 'New BSD License': 'BSD-3-Clause', '3-Clause BSD License': 'BSD-3-Clause',
    'BSD-3-clause': 'BSD-3-Clause', 'MIT License': 'MIT', 'The MIT License (MIT)': 'MIT', 'Apache 2.0': 'Apache-2.0',
    'Revised BSD License': 'BSD-3-Clause', 'Apache Software License': 'Apache-2.0', 'Apache License 2.0': 'Apache-2.0',
}
SAID_ELSEWHERE = {       # in the package's own licence text
    'defusedxml': 'PSF-2.0', 'odfpy': 'Apache-2.0 OR GPL-2.0-or-later', 'reportlab': 'BSD-3-Clause', 'sympy': 'BSD-3-Clause', 'tqdm': 'MPL-2.0 AND MIT',
    'mpmath': 'BSD-3-Clause', 'num2words': 'LGPL-2.1-only', 'fpdf2': 'LGPL-3.0-only', 'text-unidecode': 'Artistic-1.0-Perl OR GPL-2.0-or-later',
    'unidecode': 'GPL-2.0-or-later', 'python-slugify': 'MIT', 'xlrd': 'BSD-3-Clause AND BSD-4-Clause', 'colorama': 'BSD-3-Clause', 'squarify': 'Apache-2.0',
}


def normal(name):
    return re.sub(r'[-_.]+', '-', name).lower()


def read(path):
    """{name in the archive: its bytes} of metadata and licences."""
    if path.endswith('.whl'):
        with zipfile.ZipFile(path) as archive:
            return {name: archive.read(name) for name in archive.namelist() if '.dist-info/' in name}
    with tarfile.open(path) as archive:
        names = [entry for entry in archive if entry.isfile() and entry.name.count('/') == 1]
        return {entry.name: archive.extractfile(entry).read() for entry in names}


def licence_of(name, metadata):
    if name in SAID_ELSEWHERE:
        return SAID_ELSEWHERE[name]
    said = metadata['License-Expression'] or metadata['License'] or ''
    if not said or len(said) > 60:
        said = next((c.rsplit(' :: ', 1)[-1] for c in metadata.get_all('Classifier') or () if c.startswith('License')), '')
    return NAMED.get(said, said)


def entry_of(path):
    files = read(path)
    metadata = Parser().parsestr(next(b for f, b in files.items() if f.endswith(('/METADATA', '/PKG-INFO'))).decode())
    name = normal(metadata['Name'])
    licence = licence_of(name, metadata)
    if not licence or ' ' in licence and not re.search(r' (AND|OR|WITH) ', licence):
        raise SystemExit('%s: give its licence in SPDX terms (metadata says %r)' % (name, licence))
    texts = [files[f].decode('utf-8', 'replace').strip() for f in sorted(files) if LICENCE.search(f)]
    kept = os.path.join(IMAGE, 'licenses', name + '.txt')
    if texts:
        with open(kept, 'w') as f:
            f.write('\n\n'.join(dict.fromkeys(texts)) + '\n')
    elif not os.path.exists(kept):
        raise SystemExit('%s: its archive holds no licence text; put one at %s' % (name, kept))
    with open(path, 'rb') as f:
        digest = hashlib.file_digest(f, 'sha256').hexdigest()
    return name, metadata['Version'], os.path.basename(path), digest, licence


def replaced(text, name, block):
    """The block in the place of the one for the same package, or at the end."""
    old = re.compile(r'\[\[source\]\]\nname = "%s"\n(?:.+\n)*' % re.escape(name), re.I)
    return old.sub(lambda _: block, text, count=1) if old.search(text) else text.rstrip() + '\n\n' + block


def main(paths):
    toml, lines, listed = (os.path.join(IMAGE, f) for f in ('lock.toml', 'recipe/wheels.txt', 'image.toml'))
    lock, wheels, image = (open(f).read() for f in (toml, lines, listed))
    head, _, pins = wheels.partition('\n')
    pins = dict((p.split('==')[0], p) for p in pins.split('\n') if '==' in p)
    options = [p for p in wheels.split('\n')[1:] if p.startswith('--')]
    head_of_image, _, packages = image.partition('[packages]\n')
    packages = dict(re.findall(r'^(\S+) = "(.*)"$', packages, re.M))
    for path in paths:
        name, version, file, digest, licence = entry_of(path)
        use = 'Python files' + (' (without its compiled part)' if 'manylinux' in file else '')
        lock = replaced(lock, name, '[[source]]\nname = "%s"\nversion = "%s"\norigin = "PyPI"\nfile = "%s"\nsha256 = "%s"\nlicence = "%s"\n'
                        'licence_text = "licenses/%s.txt"\nuse = "%s"\n' % (name, version, file, digest, licence, name, use))
        pins[name] = '%s==%s --hash=sha256:%s' % (name, version, digest)
        packages[name] = version
        if not file.endswith('.whl') and (line := '--no-binary ' + name) not in options:
            options.append(line)
    for path, text in ((toml, lock), (lines, '\n'.join([head, *options, *(pins[n] for n in sorted(pins))]) + '\n'),
                       (listed, head_of_image + '[packages]\n' + ''.join('%s = "%s"\n' % i for i in sorted(packages.items())))):
        with open(path, 'w') as f:
            f.write(text)


if __name__ == '__main__':
    if not sys.argv[1:] or sys.argv[1].startswith('-'):
        raise SystemExit(__doc__)
    main(sys.argv[1:])
