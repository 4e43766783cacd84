import os
for path in ("/py/python-lib.zip", "/py/new.txt", "/dev/new", "/dev/null/x"):
    for mode in ("w", "a", "r+b"):
        try:
            with open(path, mode) as f:
                f.write("x" if "b" not in mode else b"x")
            print(path, mode, "worked")
        except OSError:
            pass
try:
    os.remove("/py/python-lib.zip")
    print("removed")
except OSError:
    print("kept")
