import os
try:
    with open("big.bin", "wb", buffering=0) as f:
        for _ in range(100):
            f.write(b"x" * (1 << 20))
except OSError as error:
    print("full:", error.errno)
os.remove("big.bin")
with open("small.txt", "w") as f:
    f.write("fits again")
print(open("small.txt").read())
