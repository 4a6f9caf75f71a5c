/** JSON Schema as forms need it: references followed, kinds of fields, values to begin with. */

export type Schema = {
  type?: string | string[];
  title?: string;
  description?: string;
  default?: unknown;
  enum?: unknown[];
  const?: unknown;
  oneOf?: Schema[];
  anyOf?: Schema[];
  enumNames?: string[];
  format?: string;
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  pattern?: string;
  $ref?: string;
  $defs?: Record<string, Schema>;
  definitions?: Record<string, Schema>;
};

export type FieldKind =
  | "text"
  | "number"
  | "integer"
  | "boolean"
  | "choice"
  | "choices"
  | "texts"
  | "object"
  | "json";

export type Values = Record<string, unknown>;

const DEPTH = 4; // objects within objects that are shown as fields

/** The schema that a reference leads to, with what stands beside the reference. */
export function followed(schema: Schema, root: Schema): Schema {
  const seen = new Set<string>();
  let found = schema;
  while (found.$ref && !seen.has(found.$ref)) {
    seen.add(found.$ref);
    const name = /^#\/(?:\$defs|definitions)\/(.+)$/.exec(found.$ref)?.[1];
    const target = name ? (root.$defs?.[name] ?? root.definitions?.[name]) : undefined;
    if (!target) break;
    const { $ref: _, ...beside } = found;
    found = { ...target, ...beside };
  }
  // Something or nothing is a field that may be left out.
  const some = found.anyOf?.filter((each) => each.type !== "null");
  if (some?.length === 1 && some[0] && found.anyOf?.length === 2) {
    const { anyOf: _, ...beside } = found;
    return followed({ ...some[0], ...beside }, root);
  }
  return found;
}

/** How a field is shown; what no form can show well is written as JSON. */
export function kindOf(schema: Schema, depth = 0): FieldKind {
  const types = [schema.type].flat().filter((each) => each !== "null");
  const [type] = types;
  if (types.length > 1) return "json";
  if (choicesOf(schema).length > 0) return "choice";
  if (type === "string") return "text";
  if (type === "number" || type === "integer" || type === "boolean") return type;
  if (type === "array" && schema.items) {
    if (choicesOf(schema.items).length > 0) return "choices";
    return schema.items.type === "string" ? "texts" : "json";
  }
  const isPlain =
    type === "object" && schema.properties && Object.keys(schema.properties).length > 0;
  return isPlain && depth < DEPTH ? "object" : "json";
}

/** What may be chosen, with the words that name it. */
export function choicesOf(schema: Schema): { value: unknown; label: string }[] {
  if (schema.enum) {
    return schema.enum.map((value, index) => ({
      value,
      label: schema.enumNames?.[index] ?? String(value),
    }));
  }
  const named = schema.oneOf ?? schema.anyOf ?? [];
  if (named.length === 0 || !named.every((each) => "const" in each)) return [];
  return named.map((each) => ({ value: each.const, label: each.title ?? String(each.const) }));
}

/** What a form begins with: the defaults, and nothing else. */
export function beginning(schema: Schema, root: Schema = schema, depth = 0): Values {
  const values: Values = {};
  for (const [name, raw] of Object.entries(schema.properties ?? {})) {
    const field = followed(raw, root);
    if (field.default !== undefined) values[name] = field.default;
    else if (kindOf(field, depth) === "object") {
      const inner = beginning(field, root, depth + 1);
      if (Object.keys(inner).length > 0 || schema.required?.includes(name)) values[name] = inner;
    } else if (kindOf(field) === "boolean" && schema.required?.includes(name)) values[name] = false;
  }
  return values;
}

/** The names of the fields that must be filled and are not. */
export function missing(schema: Schema, values: Values): string[] {
  return (schema.required ?? []).filter((name) => values[name] === undefined);
}
