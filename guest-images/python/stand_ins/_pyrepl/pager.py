"""Pages of help() are printed in one go: there is no terminal."""
import re
import sys


def plain(text):
    """Without bold, which is written as a letter, a backspace and the letter again."""
    return re.sub('.\b', '', text)


def plain_pager(text, title=''):
    sys.stdout.write(plain(text))


def get_pager():
    return plain_pager


def pipe_pager(text, cmd, title=''):
    plain_pager(text)


tempfile_pager = pipe_pager
tty_pager = plain_pager
