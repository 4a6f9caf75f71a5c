/** The sources of the console as trees, for checks that read them. */
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";

export const SRC = join(import.meta.dirname, "..", "src");

export type Source = { path: string; tree: ts.SourceFile };

/** Every module of the console, with its path below `src`. */
export function sources(): Source[] {
  return globSync("**/*.{ts,tsx}", { cwd: SRC })
    .filter((path) => !path.endsWith(".d.ts") && !path.endsWith(".test.ts"))
    .sort()
    .map((path) => ({ path, tree: parsed(path) }));
}

/** Calls `see` with each node of a tree. */
export function walk(node: ts.Node, see: (node: ts.Node) => void): void {
  see(node);
  ts.forEachChild(node, (child) => walk(child, see));
}

function parsed(path: string): ts.SourceFile {
  const text = readFileSync(join(SRC, path), "utf8");
  return ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
}
