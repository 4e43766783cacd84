"""lock.toml: each source with its version, origin and digest."""
import os
import re
import tomllib

IMAGE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Problem(Exception):
    """What a person has to know; shown without a traceback."""


class Source:
    """A source archive or wheel. `key` is its name as steps write it."""

    def __init__(self, entry):
        self.name, self.version = entry['name'], entry['version']
        self.key = re.sub(r'[-_.\s]+', '-', self.name).lower()
        self.origin = entry['origin']
        self.project = entry.get('project') or self.key     # its name in the index of packages
        self.path = entry.get('path')                  # below the archive of Debian
        self.file = entry.get('file') or (self.path or '').rsplit('/', 1)[-1]
        self.sha256 = entry.get('sha256')
        self.use = entry.get('use', '')

    @property
    def pinned(self):
        return bool(self.file and self.sha256)


def sources():
    """All sources that can be fetched, by key."""
    with open(os.path.join(IMAGE, 'lock.toml'), 'rb') as file:
        entries = [Source(entry) for entry in tomllib.load(file)['source']]
    found = {}
    for source in filter(lambda source: source.pinned, entries):
        if source.key in found:
            raise Problem(f'lock.toml names {source.name} twice')
        found[source.key] = source
    return found
