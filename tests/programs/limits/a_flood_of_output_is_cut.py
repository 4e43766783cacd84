for n in range(100_000):
    print("x" * 100)
print("still running")
