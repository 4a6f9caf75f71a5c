/** A JSON Schema as a table of fields that people can read; whole beneath it. */
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Badge } from "../Badge";
import { Button } from "../Button";
import { Code } from "../Copy";
import { resolve, type Schema, typeOf } from "./schema";

const MAX_DEPTH = 6;

export function SchemaView({ schema, label }: { schema: Schema; label: string }) {
  const { t } = useTranslation("schema");
  const [isRaw, setRaw] = useState(false);
  const known = resolve(schema, schema);
  return (
    <div>
      {isRaw ? (
        <Code text={JSON.stringify(schema, null, 2)} label={label} />
      ) : Object.keys(known.properties ?? {}).length === 0 ? (
        <p className="text-muted text-sm">{t("noFields")}</p>
      ) : (
        <Fields schema={known} root={schema} depth={0} />
      )}
      <Button kind="quiet" size="sm" className="mt-1" onClick={() => setRaw(!isRaw)}>
        {isRaw ? t("asFields") : t("asJson")}
      </Button>
    </div>
  );
}

function Fields({ schema, root, depth }: { schema: Schema; root: Schema; depth: number }) {
  return (
    <ul className="divide-y rounded-md border">
      {Object.entries(schema.properties ?? {}).map(([name, each]) => (
        <OneField
          key={name}
          name={name}
          schema={resolve(each, root)}
          root={root}
          isNeeded={schema.required?.includes(name) ?? false}
          depth={depth}
        />
      ))}
    </ul>
  );
}

type OneProps = { name: string; schema: Schema; root: Schema; isNeeded: boolean; depth: number };

function OneField({ name, schema, root, isNeeded, depth }: OneProps) {
  const { t } = useTranslation("schema");
  const item = typeOf(schema) === "array" ? resolve(schema.items, root) : undefined;
  const inner = [schema, item].find((each) => each?.properties);
  return (
    <li className="px-3 py-2">
      <p className="flex flex-wrap items-baseline gap-x-2 gap-y-1">
        <code className="font-medium font-mono text-xs">{name}</code>
        <code className="font-mono text-muted text-xs">{kindOf(schema, item)}</code>
        {isNeeded && <Badge tone="accent">{t("needed")}</Badge>}
        {schema.default !== undefined && (
          <span className="text-muted text-xs">
            {t("default", { value: JSON.stringify(schema.default) })}
          </span>
        )}
      </p>
      {schema.description && <p className="mt-0.5 text-muted text-sm">{schema.description}</p>}
      {schema.enum && (
        <p className="mt-1 flex flex-wrap gap-1">
          {schema.enum.map((each) => (
            <Badge key={String(each)}>{String(each)}</Badge>
          ))}
        </p>
      )}
      {inner && depth < MAX_DEPTH && (
        <div className="mt-2">
          <Fields schema={inner} root={root} depth={depth + 1} />
        </div>
      )}
    </li>
  );
}

function kindOf(schema: Schema, item: Schema | undefined): string {
  const type = typeOf(schema) ?? (schema.oneOf || schema.anyOf ? "any of" : "any");
  const format = schema.format ? ` (${schema.format})` : "";
  const limits = [schema.minimum, schema.maximum];
  const range = limits.some((each) => each !== undefined)
    ? ` ${limits[0] ?? ""}…${limits[1] ?? ""}`
    : "";
  return item ? `${typeOf(item) ?? "any"}[]` : `${type}${format}${range}`;
}
