try:
    x = bytearray(2_000_000_000)
except MemoryError:
    print("handled")
print(sum(range(10)))
