import json
nested = []
for _ in range(100_000):
    nested = [nested]
for attempt in (repr, json.dumps):
    try:
        attempt(nested)
        print("done")
    except RecursionError:
        print("recursion error")
try:
    eval("(" * 100_000 + ")" * 100_000)
except (SyntaxError, MemoryError, RecursionError):
    print("too nested")
