import os
made = 0
try:
    for n in range(1_000):
        os.mkdir(f"d{n}")
        made += 1
        os.symlink("target", f"l{n}")
        made += 1
except OSError as error:
    print("refused after", made)
