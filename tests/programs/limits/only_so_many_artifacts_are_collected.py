for n in range(20):
    with open(f"{n:02}.txt", "w") as f:
        f.write(str(n))
