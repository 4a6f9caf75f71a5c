/** What the address of the login says: where to go next. */

export type EntranceSearch = { next?: string };

export function entranceSearch(search: Record<string, unknown>): EntranceSearch {
  // Only a path of our own: a link to the login must not lead to another site.
  const { next } = search;
  return typeof next === "string" && /^\/(?![/\\])/.test(next) ? { next } : {};
}
