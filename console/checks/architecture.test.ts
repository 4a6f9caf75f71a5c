/** Imports go one way: app, features, then what all share; features never import one another. */
import { dirname, join, normalize } from "node:path";
import ts from "typescript";
import { expect, test } from "vitest";
import { sources, walk } from "./sources";

const SHARED = ["components", "api", "languages"];

const imports = sources().flatMap(({ path, tree }) =>
  specifiers(tree)
    .filter((name) => name.startsWith(".") || name.startsWith("@/"))
    .map((name) => ({ from: path, to: resolved(path, name) })),
);

test("the check sees the modules and what they import", () => {
  const areas = new Set(sources().map(({ path }) => areaOf(path)));
  expect([...areas]).toEqual(expect.arrayContaining(["app", ...SHARED, "features/entrance"]));
  expect(sources().length).toBeGreaterThan(30);
  expect(imports).toContainEqual({ from: "app/router.tsx", to: "features/entrance/LoginPage" });
});

test("features never import one another", () => {
  const crossing = imports.filter(
    ({ from, to }) =>
      from.startsWith("features/") && to.startsWith("features/") && areaOf(from) !== areaOf(to),
  );
  expect(crossing).toEqual([]);
});

test("features do not know the app", () => {
  expect(
    imports.filter(({ from, to }) => from.startsWith("features/") && to.startsWith("app/")),
  ).toEqual([]);
});

test("what all share knows neither a feature nor the app", () => {
  const upward = imports.filter(
    ({ from, to }) => SHARED.includes(areaOf(from)) && /^(features|app)\//.test(to),
  );
  expect(upward).toEqual([]);
});

function specifiers(tree: ts.SourceFile): string[] {
  const found: string[] = [];
  walk(tree, (node) => {
    const isStatic = ts.isImportDeclaration(node) || ts.isExportDeclaration(node);
    const isLazy =
      ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword;
    const named = isStatic ? node.moduleSpecifier : isLazy ? node.arguments[0] : undefined;
    if (named && ts.isStringLiteral(named)) found.push(named.text);
  });
  return found;
}

function resolved(from: string, name: string): string {
  return name.startsWith("@/") ? name.slice(2) : normalize(join(dirname(from), name));
}

function areaOf(path: string): string {
  const [first, second] = path.split("/");
  return first === "features" ? `features/${second}` : (first ?? "");
}
