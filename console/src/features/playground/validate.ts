/** Looks whether structured data fits its schema: the rules that tools use, each fault with its place. */
import { followed, type Schema } from "@/components/schema";

const LIMIT = 20;

/** Returns what does not fit, a line for each; nothing where all fits. */
export function faultsOf(value: unknown, schema: object): string[] {
  const root = schema as Schema;
  const faults: string[] = [];
  judge(value, root, root, "$", faults);
  return faults.slice(0, LIMIT);
}

function judge(value: unknown, raw: Schema, root: Schema, place: string, faults: string[]): void {
  if (faults.length >= LIMIT) return;
  const schema = followed(raw, root);
  const types = [schema.type ?? []].flat();
  if (types.length > 0 && !types.some((type) => isOf(value, type))) {
    faults.push(`${place}: ${types.join(" | ")} ≠ ${nameOf(value)}`);
    return;
  }
  if (schema.enum && !schema.enum.some((each) => same(each, value))) {
    faults.push(`${place}: ∉ ${JSON.stringify(schema.enum)}`);
  }
  if (Array.isArray(value) && schema.items) {
    for (const [index, item] of value.entries()) {
      judge(item, schema.items, root, `${place}[${index}]`, faults);
    }
  }
  if (!isOf(value, "object")) return;
  const object = value as Record<string, unknown>;
  for (const name of schema.required ?? []) {
    if (!(name in object)) faults.push(`${place}.${name}: ∅`);
  }
  for (const [name, field] of Object.entries(schema.properties ?? {})) {
    if (name in object) judge(object[name], field, root, `${place}.${name}`, faults);
  }
}

function isOf(value: unknown, type: string): boolean {
  if (type === "integer") return Number.isInteger(value);
  return nameOf(value) === type;
}

function nameOf(value: unknown): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "array" : typeof value;
}

function same(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
