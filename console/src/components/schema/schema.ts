/** JSON Schema as forms need it: what a field takes, what it begins with, and what is wrong in it. */

export type Schema = {
  $ref?: string;
  $defs?: Record<string, Schema>;
  definitions?: Record<string, Schema>;
  type?: string | string[];
  title?: string;
  description?: string;
  default?: unknown;
  const?: unknown;
  enum?: unknown[];
  enumNames?: string[];
  examples?: unknown[];
  format?: string;
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: boolean | Schema;
  items?: Schema | boolean;
  prefixItems?: Schema[];
  oneOf?: Schema[];
  anyOf?: Schema[];
  allOf?: Schema[];
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  exclusiveMaximum?: number;
  multipleOf?: number;
  minLength?: number;
  maxLength?: number;
  minItems?: number;
  maxItems?: number;
  uniqueItems?: boolean;
  pattern?: string;
};

/** What is wrong at one place of a value: a word of the language files, and what that names. */
export type Fault = { path: string; word: FaultWord; values: Record<string, string | number> };
export type FaultWord =
  | "missing"
  | "type"
  | "enum"
  | "unknown"
  | "minimum"
  | "maximum"
  | "multiple"
  | "short"
  | "long"
  | "few"
  | "many"
  | "twice"
  | "pattern"
  | "format"
  | "variant";

const MAX_DEPTH = 24;
const FORMATS: Record<string, RegExp> = {
  email: /^[^\s@]+@[^\s@]+\.[^\s@]+$/,
  uri: /^[A-Za-z][A-Za-z0-9+.-]*:\S+$/,
  date: /^\d{4}-\d\d-\d\d$/,
  "date-time": /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d+)?)?([Zz]|[+-]\d\d:?\d\d)?$/,
  uuid: /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/i,
};

/** Follows references within the document, and folds `allOf` and nullable choices into one schema. */
export function resolve(schema: Schema | boolean | undefined, root: Schema, depth = 0): Schema {
  if (typeof schema !== "object" || schema === null || depth > MAX_DEPTH) return {};
  if (schema.$ref) {
    const { $ref, ...beside } = schema;
    return { ...resolve(referred($ref, root), root, depth + 1), ...beside };
  }
  if (schema.allOf) {
    const { allOf, ...rest } = schema;
    return allOf.map((each) => resolve(each, root, depth + 1)).reduce(merged, rest);
  }
  const choices = schema.anyOf ?? schema.oneOf;
  const real = choices?.filter((each) => each.type !== "null");
  if (choices && real?.length === 1 && real.length < choices.length) {
    const { anyOf: _any, oneOf: _one, ...beside } = schema;
    return { ...resolve(real[0], root, depth + 1), ...beside };
  }
  return schema;
}

/** The type that a field is made for; the first that is not null. */
export function typeOf(schema: Schema): string | undefined {
  const named = Array.isArray(schema.type)
    ? schema.type.find((each) => each !== "null")
    : schema.type;
  if (named) return named;
  if (schema.properties) return "object";
  if (schema.items || schema.prefixItems) return "array";
  return undefined;
}

/** What a form begins with: defaults, and whatever can only be one thing. */
export function initial(schema: Schema, root: Schema = schema, depth = 0): unknown {
  const found = resolve(schema, root);
  if (found.default !== undefined) return structuredClone(found.default);
  if (found.const !== undefined) return found.const;
  if (typeOf(found) !== "object" || !found.properties || depth > MAX_DEPTH) return undefined;
  const value: Record<string, unknown> = {};
  for (const [name, each] of Object.entries(found.properties)) {
    const isNeeded = found.required?.includes(name);
    const start = isNeeded || hasDefault(each, root) ? initial(each, root, depth + 1) : undefined;
    if (start !== undefined) value[name] = start;
  }
  return value;
}

/** Checks a value; an empty list means that it fits. */
export function faultsOf(schema: Schema, value: unknown, root: Schema = schema): Fault[] {
  const found: Fault[] = [];
  check(schema, value, "", root, found, 0);
  return found;
}

function hasDefault(schema: Schema, root: Schema): boolean {
  return resolve(schema, root).default !== undefined;
}

function referred(ref: string, root: Schema): Schema | undefined {
  if (ref === "#") return root;
  if (!ref.startsWith("#/")) return undefined;
  let place: unknown = root;
  for (const step of ref.slice(2).split("/")) {
    const name = decodeURIComponent(step).replaceAll("~1", "/").replaceAll("~0", "~");
    place = isObject(place) ? place[name] : undefined;
  }
  return place as Schema | undefined;
}

function merged(one: Schema, other: Schema): Schema {
  return {
    ...one,
    ...other,
    ...(one.properties || other.properties
      ? { properties: { ...one.properties, ...other.properties } }
      : {}),
    ...(one.required || other.required
      ? { required: [...(one.required ?? []), ...(other.required ?? [])] }
      : {}),
  };
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function check(
  schema: Schema | boolean | undefined,
  value: unknown,
  path: string,
  root: Schema,
  found: Fault[],
  depth: number,
): void {
  if (schema === undefined || typeof schema === "boolean" || depth > MAX_DEPTH) return;
  if (value === null && allowsNull(schema, root)) return;
  const known = resolve(schema, root);
  const say = (word: FaultWord, values: Fault["values"] = {}) => found.push({ path, word, values });
  if (known.type !== undefined && !isOfType(value, known.type)) {
    say("type", { type: [known.type].flat().join(", ") });
    return;
  }
  if (known.const !== undefined && !isSame(value, known.const)) {
    say("enum", { values: JSON.stringify(known.const) });
  }
  if (known.enum && !known.enum.some((each) => isSame(each, value))) {
    say("enum", { values: known.enum.map((each) => String(each)).join(", ") });
  }
  const choices = known.oneOf ?? known.anyOf;
  if (choices && !choices.some((each) => faultsOf(each, value, root).length === 0)) say("variant");
  if (typeof value === "number") checkNumber(known, value, say);
  if (typeof value === "string") checkText(known, value, say);
  if (Array.isArray(value)) checkList(known, value, path, root, found, depth, say);
  if (isObject(value)) checkObject(known, value, path, root, found, depth);
}

type Say = (word: FaultWord, values?: Fault["values"]) => void;

function checkNumber(schema: Schema, value: number, say: Say): void {
  const { minimum, maximum, exclusiveMinimum: above, exclusiveMaximum: below } = schema;
  if (minimum !== undefined && value < minimum) say("minimum", { limit: minimum });
  if (maximum !== undefined && value > maximum) say("maximum", { limit: maximum });
  if (typeof above === "number" && value <= above) say("minimum", { limit: above });
  if (typeof below === "number" && value >= below) say("maximum", { limit: below });
  const step = schema.multipleOf;
  if (step && Math.abs(value / step - Math.round(value / step)) > 1e-9) {
    say("multiple", { step });
  }
}

function checkText(schema: Schema, value: string, say: Say): void {
  const length = [...value].length;
  if (length < (schema.minLength ?? 0)) say("short", { limit: schema.minLength ?? 0 });
  if (length > (schema.maxLength ?? Infinity)) say("long", { limit: schema.maxLength ?? 0 });
  if (schema.pattern && !fits(schema.pattern, value)) say("pattern", { pattern: schema.pattern });
  const format = schema.format ? FORMATS[schema.format] : undefined;
  if (format && !format.test(value)) say("format", { format: schema.format ?? "" });
}

function fits(pattern: string, value: string): boolean {
  try {
    return new RegExp(pattern, "u").test(value);
  } catch {
    // A pattern that this browser cannot read is left to the server.
    return true;
  }
}

function checkList(
  schema: Schema,
  value: unknown[],
  path: string,
  root: Schema,
  found: Fault[],
  depth: number,
  say: Say,
): void {
  if (value.length < (schema.minItems ?? 0)) say("few", { limit: schema.minItems ?? 0 });
  if (value.length > (schema.maxItems ?? Infinity)) say("many", { limit: schema.maxItems ?? 0 });
  if (schema.uniqueItems && new Set(value.map((each) => JSON.stringify(each))).size < value.length)
    say("twice");
  value.forEach((each, index) => {
    const of = schema.prefixItems?.[index] ?? schema.items;
    check(of, each, `${path}/${index}`, root, found, depth + 1);
  });
}

function checkObject(
  schema: Schema,
  value: Record<string, unknown>,
  path: string,
  root: Schema,
  found: Fault[],
  depth: number,
): void {
  for (const name of schema.required ?? []) {
    if (value[name] === undefined) {
      found.push({ path: `${path}/${name}`, word: "missing", values: {} });
    }
  }
  for (const [name, each] of Object.entries(value)) {
    if (each === undefined) continue;
    const of = schema.properties?.[name];
    if (of) check(of, each, `${path}/${name}`, root, found, depth + 1);
    else if (schema.additionalProperties === false) {
      found.push({ path: `${path}/${name}`, word: "unknown", values: {} });
    } else check(schema.additionalProperties, each, `${path}/${name}`, root, found, depth + 1);
  }
}

function allowsNull(schema: Schema, root: Schema): boolean {
  if (schema.$ref) return allowsNull(referred(schema.$ref, root) ?? {}, root);
  const types = [schema.type ?? []].flat();
  const choices = schema.anyOf ?? schema.oneOf ?? [];
  return types.includes("null") || choices.some((each) => each.type === "null");
}

function isOfType(value: unknown, type: string | string[]): boolean {
  return [type].flat().some((each) => {
    if (each === "integer") return Number.isInteger(value);
    if (each === "array") return Array.isArray(value);
    if (each === "object") return isObject(value);
    if (each === "null") return value === null;
    return typeof value === each;
  });
}

function isSame(one: unknown, other: unknown): boolean {
  return one === other || JSON.stringify(one) === JSON.stringify(other);
}
