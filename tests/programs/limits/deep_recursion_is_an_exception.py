import sys

def deep(n):
    return deep(n + 1)

try:
    deep(0)
except RecursionError:
    print("recursion error")

sys.setrecursionlimit(1_000_000)
try:
    deep(0)
except RecursionError:
    print("recursion error again")
