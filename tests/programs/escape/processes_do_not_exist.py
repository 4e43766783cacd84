import os
for attempt in ("system", "fork", "execv", "subprocess"):
    try:
        if attempt == "system":
            # As a shell that finds no such program.
            if os.system("id") != 0:
                raise OSError
        elif attempt == "fork":
            os.fork()
        elif attempt == "execv":
            os.execv("/bin/sh", ["sh"])
        else:
            import subprocess
            subprocess.run(["id"])
        print(attempt, "worked")
    except Exception:
        print(attempt, "refused")
