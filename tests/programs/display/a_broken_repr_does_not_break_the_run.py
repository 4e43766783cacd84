class Broken:
    def __repr__(self):
        raise RuntimeError("no repr")

    def _repr_html_(self):
        raise RuntimeError("no html")

display(Broken())
print("still here")
Broken()
