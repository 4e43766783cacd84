try:
    with open("sparse.bin", "wb") as f:
        f.truncate(1 << 40)
    print("made")
except OSError as error:
    print("refused:", error.errno)
try:
    with open("sparse.bin", "wb", buffering=0) as f:
        f.seek(1 << 40)
        f.write(b"x")
    print("made")
except OSError as error:
    print("refused:", error.errno)
