/** Which project was looked at last, for the next visit. */
const KEPT = "interlock.project";

/** Returns the project of the last visit; with a name, notes that. */
export function lastProject(name?: string): string | null {
  if (name !== undefined) localStorage.setItem(KEPT, name);
  return localStorage.getItem(KEPT);
}
