import csv, json, os
with open("in.csv") as f:
    rows = list(csv.DictReader(f))
os.makedirs("out/deep", exist_ok=True)
with open("out/deep/result.json", "w") as f:
    json.dump({"total": sum(int(row["n"]) for row in rows)}, f)
print(os.getcwd(), sorted(os.listdir(".")))
