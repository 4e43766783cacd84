things = []
while True:
    things.append({"a": len(things)})
