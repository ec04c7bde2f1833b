// Swagger has a dark mode of its own, worn by the root element: it follows the chosen theme, or else the system's.
const root = document.documentElement;
const system = matchMedia("(prefers-color-scheme: dark)");

function dress() {
  const theme = root.dataset.theme ?? (system.matches ? "dark" : "light");
  root.classList.toggle("dark-mode", theme === "dark");
}

system.addEventListener("change", dress);
dress();
