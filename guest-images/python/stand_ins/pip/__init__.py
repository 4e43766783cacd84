"""pip where nothing can be installed: says what is there already, and what there is instead of the rest."""
import sys

__version__ = '0'


def main(args=None):
    from glovebox_guest import _processes
    status, text = _processes.answer_of(['pip', *(sys.argv[1:] if args is None else args)])
    (sys.stderr if status else sys.stdout).write(text)
    return status
