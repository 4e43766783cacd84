for n in range(50):
    display("x" * 50_000)
print("done")
