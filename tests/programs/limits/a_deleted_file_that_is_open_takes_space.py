import os
kept = []
try:
    for n in range(100):
        f = open("hidden.bin", "wb", buffering=0)
        f.write(b"x" * (1 << 20))
        os.remove("hidden.bin")
        kept.append(f)
    print("escaped the quota")
except OSError as error:
    print("refused after", len(kept))
