/** All text is in the language files, in every language, and nothing there is left over. */
import { globSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import ts from "typescript";
import { expect, test } from "vitest";
import { type Source, SRC, sources, walk } from "./sources";

const NAMES = new Set(["Interlock", "⌘K", "Ctrl K"]);
const READ_OUT = new Set(["alt", "aria-label", "label", "placeholder", "title", "hint", "note"]);
const PLURAL = /_(zero|one|two|few|many|other)$/;

const words = Object.fromEntries(["en", "ko"].map((language) => [language, read(language)]));
const uses = used();

test("the check sees texts and their uses", () => {
  expect(Object.keys(words.en ?? {}).length).toBeGreaterThan(60);
  expect(uses.length).toBeGreaterThan(60);
});

test("every text is there in every language", () => {
  const keys = (language: string) =>
    [...new Set(Object.keys(words[language] ?? {}).map((key) => key.replace(PLURAL, "")))].sort();
  expect(keys("ko")).toEqual(keys("en"));
});

test("a text names the same values in every language", () => {
  const values = (text: string | undefined) =>
    [...(text ?? "").matchAll(/\{\{\w+\}\}/g)].map(String).sort();
  const differing = Object.entries(words.en ?? {}).filter(
    ([key, text]) => !PLURAL.test(key) && `${values(text)}` !== `${values(words.ko?.[key])}`,
  );
  expect(differing).toEqual([]);
});

test("every text that is used is there", () => {
  const known = Object.keys(words.en ?? {}).map((key) => key.replace(PLURAL, ""));
  const missing = uses.filter(({ key }) => !known.some((each) => matches(key, each)));
  expect(missing).toEqual([]);
});

test("every text that is there is used", () => {
  const left = Object.keys(words.en ?? {}).filter(
    (key) => !uses.some((use) => matches(use.key, key.replace(PLURAL, ""))),
  );
  expect(left).toEqual([]);
});

test("no text stands in the code", () => {
  expect(sources().flatMap(written)).toEqual([]);
});

/** Texts by `namespace:key`. */
function read(language: string): Record<string, string> {
  const folder = join(SRC, "languages", language);
  const found: Record<string, string> = {};
  for (const file of globSync("*.json", { cwd: folder })) {
    const content = JSON.parse(readFileSync(join(folder, file), "utf8"));
    flatten(content, `${basename(file, ".json")}:`, found);
  }
  return found;
}

function flatten(value: unknown, prefix: string, found: Record<string, string>): void {
  if (typeof value === "string") {
    found[prefix] = value;
    return;
  }
  for (const [key, inner] of Object.entries(value as object)) {
    flatten(inner, prefix.endsWith(":") ? prefix + key : `${prefix}.${key}`, found);
  }
}

/** The keys that the code asks for; where a part is computed, `*` stands for it. */
function used(): { path: string; key: string }[] {
  return sources().flatMap(({ path, tree }) => {
    const found: { path: string; key: string }[] = [];
    const namespaces: string[] = [];
    walk(tree, (node) => {
      if (!ts.isCallExpression(node)) return;
      const [first, second] = node.arguments;
      const called = node.expression.getText();
      if (called === "useTranslation" && first && ts.isStringLiteral(first)) {
        namespaces.push(first.text);
      }
      // By convention `common` is the t of that namespace, beside the page's own.
      if ((called !== "t" && called !== "common") || !first) return;
      const own = called === "common" ? called : /ns: "(\w+)"/.exec(second?.getText() ?? "")?.[1];
      for (const key of keysOf(first)) {
        const full = key.includes(":")
          ? [key]
          : (own ? [own] : namespaces).map((ns) => `${ns}:${key}`);
        // A file with several namespaces asks one of them.
        if (full.length > 1) full.splice(0, full.length, full.find((each) => isKnown(each)) ?? key);
        for (const each of full) found.push({ path, key: each });
      }
    });
    return found;
  });
}

function isKnown(key: string): boolean {
  return Object.keys(words.en ?? {}).some((each) => matches(key, each.replace(PLURAL, "")));
}

function keysOf(node: ts.Expression): string[] {
  if (ts.isStringLiteral(node) || ts.isNoSubstitutionTemplateLiteral(node)) return [node.text];
  if (ts.isTemplateExpression(node)) {
    return [node.head.text + node.templateSpans.map((span) => `*${span.literal.text}`).join("")];
  }
  if (ts.isConditionalExpression(node)) {
    return [...keysOf(node.whenTrue), ...keysOf(node.whenFalse)];
  }
  throw new Error(`The text that ${node.getText()} names cannot be told; write t with a literal`);
}

function matches(asked: string, key: string): boolean {
  const pattern = asked.split("*").map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${pattern.join("[^.]+")}$`).test(key);
}

/** Text for people that stands in the code itself. */
function written({ path, tree }: Source): string[] {
  const found: string[] = [];
  const judge = (text: string) => {
    if (/\p{L}{2}/u.test(text) && !NAMES.has(text.trim())) found.push(`${path}: ${text.trim()}`);
  };
  walk(tree, (node) => {
    if (ts.isJsxText(node)) judge(node.text);
    if (ts.isJsxExpression(node) && node.expression && ts.isStringLiteral(node.expression)) {
      if (ts.isJsxElement(node.parent)) judge(node.expression.text);
    }
    if (ts.isJsxAttribute(node) && READ_OUT.has(node.name.getText())) {
      if (node.initializer && ts.isStringLiteral(node.initializer)) judge(node.initializer.text);
    }
  });
  return found;
}
