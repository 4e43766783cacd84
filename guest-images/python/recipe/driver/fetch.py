"""Fetches sources from the registries that this machine is set up for, and checks their digests.

No host is written here: the index of Python packages is the one that pip uses, and Debian's archive is the one in
apt's list of sources, npm's registry is npm's. GLOVEBOX_PYPI_INDEX, GLOVEBOX_DEBIAN_ARCHIVE and GLOVEBOX_NPM_REGISTRY name others.
"""
import glob
import hashlib
import json
import os
import re
import shutil
import ssl
import subprocess
import sys
import tarfile
import time
import urllib.error
import urllib.parse
import urllib.request
import zipfile

from .lock import Problem

TRIES = 4


def index_of_packages():
    """URL of the simple index."""
    if url := os.environ.get('GLOVEBOX_PYPI_INDEX') or os.environ.get('PIP_INDEX_URL'):
        return url.rstrip('/')
    for command in (['config', 'get', 'global.index-url'], None):
        if command is None:
            code = 'from pip._internal.models.index import PyPI; print(PyPI.simple_url)'
            done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
        else:
            done = subprocess.run([sys.executable, '-m', 'pip', *command], capture_output=True, text=True)
        if done.returncode == 0 and done.stdout.strip():
            return done.stdout.strip().rstrip('/')
    raise Problem('this Python has no pip to tell the index of packages: install python3-pip, or set GLOVEBOX_PYPI_INDEX')


def archive_of_debian():
    """URL below which `pool/` lies."""
    if url := os.environ.get('GLOVEBOX_DEBIAN_ARCHIVE'):
        return url.rstrip('/')
    lists = glob.glob('/etc/apt/sources.list.d/*.sources') + ['/etc/apt/sources.list'] + glob.glob('/etc/apt/sources.list.d/*.list')
    for path in filter(os.path.exists, lists):
        with open(path) as file:
            for line in file:
                found = re.match(r'(?:URIs:|deb(?:-src)?(?: \[[^\]]*\])?)\s*(\S+/debian)/?(?:\s|$)', line)
                if found:
                    return found.group(1)
    raise Problem("apt's list of sources names no archive of Debian: set GLOVEBOX_DEBIAN_ARCHIVE to one")


def registry_of_npm():
    """The registry that npm is set up for."""
    if url := os.environ.get('GLOVEBOX_NPM_REGISTRY'):
        return url.rstrip('/')
    try:
        done = subprocess.run(['npm', 'config', 'get', 'registry'], capture_output=True, text=True)
    except FileNotFoundError:
        done = None
    if done and done.stdout.startswith('http'):
        return done.stdout.strip().rstrip('/')
    raise Problem('a source comes from npm, which is not here to tell its registry: install npm, or set GLOVEBOX_NPM_REGISTRY')


def get(url, accept=None):
    """The response; a passing trouble is tried again."""
    request = urllib.request.Request(url, headers={'Accept': accept} if accept else {})
    context = ssl.create_default_context()
    for number in range(1, TRIES + 1):
        try:
            return urllib.request.urlopen(request, timeout=60, context=context)
        except urllib.error.HTTPError as error:
            if error.code < 500 and error.code != 429 or number == TRIES:
                raise Problem(f'{url}: the server answered {error.code}') from None
        except OSError as error:
            if number == TRIES:
                raise Problem(f'{url} cannot be reached: {error}') from None
        time.sleep(number * 2)


def url_of(source):
    if source.origin == 'Debian':
        return f'{archive_of_debian()}/{source.path}'
    if source.origin == 'npm':
        return f'{registry_of_npm()}/{source.path}'
    page = f'{index_of_packages()}/{source.project}/'
    with get(page, 'application/vnd.pypi.simple.v1+json') as response:
        files = json.load(response)['files']
    for file in files:
        if file['filename'] == source.file:
            return urllib.parse.urljoin(page, file['url'])
    raise Problem(f'the index of packages has no {source.file}; lock.toml asks for it')


def digest(path):
    with open(path, 'rb') as file:
        return hashlib.file_digest(file, 'sha256').hexdigest()


def fetch(source, folder):
    """Path of the archive, fetched unless it is there, its digest checked."""
    path = os.path.join(folder, source.file)
    if os.path.exists(path) and digest(path) == source.sha256:
        return path
    print(f'   fetching {source.file}', flush=True)
    draft = path + '.partial'
    with get(url_of(source)) as response, open(draft, 'wb') as file:
        shutil.copyfileobj(response, file)
    found = digest(draft)
    if found != source.sha256:
        os.unlink(draft)
        raise Problem(f'{source.file} has sha256 {found}, and lock.toml says {source.sha256}: it is not what was pinned')
    os.replace(draft, path)
    return path


def unpack(archive, folder):
    """Unpacks into `folder`, without the one folder that most archives hold."""
    draft = folder + '.partial'
    shutil.rmtree(draft, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(draft)
    if archive.endswith(('.whl', '.zip')):
        with zipfile.ZipFile(archive) as file:
            file.extractall(draft)
            for entry in file.infolist():
                if entry.external_attr >> 16 & 0o111:
                    os.chmod(os.path.join(draft, entry.filename), 0o755)
    else:
        with tarfile.open(archive) as file:
            file.extractall(draft, filter='data')
    inside = os.listdir(draft)
    only = os.path.join(draft, inside[0])
    if len(inside) == 1 and os.path.isdir(only) and not archive.endswith('.whl'):
        os.rename(only, folder)
        os.rmdir(draft)
    else:
        os.rename(draft, folder)


def patch(folder, patches):
    """Applies unified diffs, in their order."""
    for path in patches:
        done = subprocess.run(['patch', '-p1', '--batch', '--forward', '--fuzz=0', '--no-backup-if-mismatch', '-i', path],
                              cwd=folder, capture_output=True, text=True)
        if done.returncode:
            raise Problem(f'{os.path.basename(path)} does not apply to {os.path.basename(folder)}:\n{done.stdout}{done.stderr}')
