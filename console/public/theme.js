// Chooses light or dark before the first paint, so that nothing flashes.
(() => {
  const root = document.documentElement;
  const chosen = localStorage.getItem("interlock.theme");
  const prefersDark = matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = chosen ?? "system";
  root.classList.toggle("dark", chosen === "dark" || (chosen !== "light" && prefersDark));
})();
