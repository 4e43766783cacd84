kept = []
open("one.txt", "w").close()
try:
    while True:
        kept.append(open("one.txt"))
except OSError as error:
    print("refused after", len(kept), "errno", error.errno)
for f in kept:
    f.close()
print(open("one.txt").read() == "")
