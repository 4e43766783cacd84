import os, sys
print(sys.argv, os.environ.get("COLOUR"), os.environ.get("OPENAI_API_KEY"))
print(input() + "|" + sys.stdin.read())
