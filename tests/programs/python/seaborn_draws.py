import pandas as pd, seaborn as sns, matplotlib.pyplot as plt
df = pd.read_csv("penguins.csv")
sns.scatterplot(df, x="flipper_length_mm", y="body_mass_g", hue="species")
plt.savefig("scatter.png")
plt.close("all")
sns.boxplot(df, x="species", y="body_mass_g")
plt.savefig("box.png")
plt.close("all")
print(df.groupby("species").body_mass_g.mean().round(1).to_dict())
