"""Puts the built files in their place, with their digests in image.toml and lock.toml."""

NEEDS = ['link', 'library', 'fonts', 'native']
SOURCES = []
FILES = ['recipe/seal.py', 'recipe/sbom.py']


def build(step):
    step.run([step.python, step.recipe('seal.py'), *(f'{step.result("link")}/{name}' for name in ('python.wasm', 'python.wasm.zst')),
              f'{step.result("library")}/library.tar.zst', f'{step.result("fonts")}/mpl-data.tar.zst'])
