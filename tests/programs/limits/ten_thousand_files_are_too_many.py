made = 0
try:
    for n in range(10_000):
        open(f"f{n}.txt", "w").close()
        made += 1
except OSError as error:
    print("refused after", made, "errno", error.errno)
