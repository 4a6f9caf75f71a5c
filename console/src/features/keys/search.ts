/** What the address of the keys' page says. */
export type KeysSearch = { dialog?: "new"; old?: true };

export function keysSearch(search: Record<string, unknown>): KeysSearch {
  return {
    ...(search.dialog === "new" ? { dialog: "new" as const } : {}),
    ...(search.old === true ? { old: true as const } : {}),
  };
}
