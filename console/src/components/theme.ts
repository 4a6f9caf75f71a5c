/** Light or dark: chosen by the person, or as the system has it. */
import { useSyncExternalStore } from "react";

export type Theme = "light" | "dark" | "system";

const KEPT = "interlock.theme";
const system = matchMedia("(prefers-color-scheme: dark)");
const listeners = new Set<() => void>();

system.addEventListener("change", apply);

/** The choice, and whether that is dark now. */
export function useTheme(): { theme: Theme; isDark: boolean } {
  const theme = useSyncExternalStore(watch, chosen);
  const isDark = useSyncExternalStore(watch, dark);
  return { theme, isDark };
}

/** Chooses at once, and for the next visits. */
export function chooseTheme(theme: Theme): void {
  if (theme === "system") localStorage.removeItem(KEPT);
  else localStorage.setItem(KEPT, theme);
  apply();
}

function apply(): void {
  const theme = chosen();
  document.documentElement.dataset.theme = theme;
  const isDark = theme === "dark" || (theme === "system" && system.matches);
  document.documentElement.classList.toggle("dark", isDark);
  for (const listener of listeners) listener();
}

function chosen(): Theme {
  const kept = localStorage.getItem(KEPT);
  return kept === "light" || kept === "dark" ? kept : "system";
}

function dark(): boolean {
  return document.documentElement.classList.contains("dark");
}

function watch(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
