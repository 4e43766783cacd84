// Light, dark, or as the system has it. The choice is kept in this browser.

const PLACE = "glovebox.theme";
const CHOICES = ["system", "light", "dark"];

let chosen = "system";
try {
  chosen = CHOICES.find((choice) => choice === localStorage.getItem(PLACE)) ?? "system";
} catch {
  // Without storage it is the system's.
}
apply();

function apply() {
  if (chosen === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = chosen;
}

/** What is chosen now. */
export const theme = () => chosen;

/** Whether the page is dark now. */
export const isDark = () => (chosen === "system" ? matchMedia("(prefers-color-scheme: dark)").matches : chosen === "dark");

/** The next choice. */
export function nextTheme() {
  chosen = CHOICES[(CHOICES.indexOf(chosen) + 1) % CHOICES.length];
  apply();
  try {
    localStorage.setItem(PLACE, chosen);
  } catch {
    // It lasts until the page is closed.
  }
  return chosen;
}
