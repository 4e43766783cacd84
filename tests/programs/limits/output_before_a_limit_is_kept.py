print("first line")
print("second line")
while True:
    pass
