// What the scripted model of the tests and the screenshots says: a program that fails, its repair, an explanation.

export const wrong = `I'll compare the average body mass.

\`\`\`python
import pandas as pd
import matplotlib.pyplot as plt

df = pd.read_csv("penguins.csv")
# Average for each species
mean = df.groupby("species")["no_such_column"].mean().sort_values()

ax = mean.plot.barh(color="#4C78A8")
ax.set_xlabel("average body mass (g)")
plt.tight_layout()
plt.show()
print("heaviest:", mean.idxmax())
\`\`\`
`;

export const repaired = wrong.replace("I'll compare the average body mass.", "The column is called body_mass_g.").replace("no_such_column", "body_mass_g");

export const explained = `## Gentoo penguins are the heaviest

On average a **Gentoo** weighs about 5,076 g, over a third more than Adelie and Chinstrap.

1. Read \`penguins.csv\`.
2. Take the mean of \`body_mass_g\` for each species.

| species | average |
| --- | --- |
| Gentoo | 5,076 g |
| Chinstrap | 3,733 g |
| Adelie | 3,701 g |

![tracker](https://example.org/pixel.png)
`;
