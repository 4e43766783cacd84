"""Answers meson's questions about libraries as pkg-config does, from `package=version|flags` words of the environment.

The libraries themselves are given to the link step, so none is named here.
"""
import os
import sys

known = dict(word.split('=', 1) for word in os.environ['RECIPE_PACKAGES'].split('\n'))
options = [word for word in sys.argv[1:] if word.startswith('-')]
names = [word for word in sys.argv[1:] if not word.startswith('-')]
if '--version' in options:
    print('1.8.1')
elif any(name.split(' ')[0] not in known for name in names):
    sys.exit(1)
elif '--modversion' in options:
    print('\n'.join(known[name].split('|')[0] for name in names))
elif '--cflags' in options:
    print(' '.join(known[name].split('|')[1] for name in names))
else:
    print()
