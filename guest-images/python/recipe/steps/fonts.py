"""matplotlib's fonts and styles, with fonts for Chinese, Japanese, Korean and emoji besides, in one archive."""
import os
import shutil
import tarfile

import fonts
from driver.pack import pack
from driver.step import EPOCH

NEEDS = ['native', 'packer']
SOURCES = ['matplotlib', *fonts.FONTS]
FILES = ['recipe/fonts.py']


def build(step):
    def clean(entry):
        entry.mtime, entry.uid, entry.gid, entry.uname, entry.gname = int(EPOCH), 0, 0, '', ''
        entry.mode = 0o755 if entry.isdir() else 0o644
        return entry

    tree = os.path.join(step.work, 'mpl-data')
    shutil.rmtree(tree, ignore_errors=True)
    shutil.copytree(os.path.join(step.source('matplotlib'), 'lib/matplotlib/mpl-data'), tree, ignore=shutil.ignore_patterns('sample_data'))
    for key, (inside, name) in fonts.FONTS.items():
        shutil.copy(os.path.join(step.source(key), inside), os.path.join(tree, 'fonts/ttf', name))
    tar = os.path.join(step.work, 'mpl-data.tar')
    with tarfile.open(tar, 'w') as archive:
        archive.add(tree, 'mpl-data', filter=clean)
    pack(step, tar, f'{step.out}/mpl-data.tar.zst')
