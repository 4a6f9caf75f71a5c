/** The one-time password just typed, so that the next page need not ask for it again. */
let kept = "";

export function keepPassword(password: string): void {
  kept = password;
}

export function keptPassword(): string {
  return kept;
}
