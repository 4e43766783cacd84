import os
with open(os.devnull, "w") as f:
    f.write("x" * 100_000)
print(repr(open(os.devnull).read()))
