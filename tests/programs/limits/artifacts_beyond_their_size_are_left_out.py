for name in ("a.bin", "b.bin"):
    with open(name, "wb") as f:
        f.write(b"x" * 800_000)
