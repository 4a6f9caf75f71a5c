/** A form for a value of a JSON Schema; what no field can show is written as JSON. */
import { Plus, Trash2 } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Button, IconButton } from "../Button";
import { Select } from "../Field";
import {
  BooleanField,
  ChoiceField,
  JsonField,
  NumberField,
  RawField,
  SeveralField,
  TextField,
} from "./fields";
import { type FieldProps, Group, type PartProps } from "./Labelled";
import { type Fault, initial, isObject, resolve, type Schema, typeOf } from "./schema";

type FormProps = {
  schema: Schema;
  value: unknown;
  onChange: (value: unknown) => void;
  faults?: readonly Fault[];
};

export function SchemaForm({ schema, value, onChange, faults = [] }: FormProps) {
  return (
    <Properties
      schema={resolve(schema, schema)}
      root={schema}
      value={value}
      onChange={onChange}
      faults={faults}
      path=""
    />
  );
}

function Properties({ schema, root, value, onChange, faults, path }: PartProps) {
  const { t } = useTranslation("schema");
  const known = isObject(value) ? value : {};
  const entries = Object.entries(schema.properties ?? {});
  if (entries.length === 0) {
    return schema.additionalProperties && schema.additionalProperties !== true ? (
      <RawField value={value} onChange={onChange} label={t("json")} />
    ) : (
      <p className="text-muted text-sm">{t("noArguments")}</p>
    );
  }
  const change = (name: string, next: unknown) => {
    const { [name]: _old, ...rest } = known;
    onChange(next === undefined ? rest : { ...known, [name]: next });
  };
  return (
    <div className="flex min-w-0 flex-col gap-4">
      {entries.map(([name, each]) => (
        <AnyField
          key={name}
          name={name}
          schema={resolve(each, root)}
          root={root}
          value={known[name]}
          onChange={(next) => change(name, next)}
          faults={faults}
          path={`${path}/${name}`}
          isNeeded={schema.required?.includes(name) ?? false}
        />
      ))}
    </div>
  );
}

function AnyField(props: FieldProps) {
  const { schema } = props;
  const type = typeOf(schema);
  if (schema.oneOf ?? schema.anyOf) {
    const choices = (schema.oneOf ?? schema.anyOf ?? []) as Schema[];
    if (choices.every((each) => each.const !== undefined)) return <ChoiceField {...props} />;
    return <VariantField {...props} />;
  }
  if (schema.enum || schema.const !== undefined) return <ChoiceField {...props} />;
  if (type === "boolean") return <BooleanField {...props} />;
  if (type === "number" || type === "integer") return <NumberField {...props} />;
  if (type === "string") return <TextField {...props} />;
  if (type === "array") return <ListField {...props} />;
  if (type === "object" && schema.properties) {
    return (
      <Group {...props}>
        <Properties {...props} />
      </Group>
    );
  }
  return <JsonField {...props} />;
}

function ListField(props: FieldProps) {
  const { t } = useTranslation("schema");
  const { name, schema, root, value, onChange, faults, path } = props;
  const items = Array.isArray(value) ? value : [];
  const of = resolve(schema.items, root);
  if (of.enum && schema.uniqueItems !== false) {
    return <SeveralField {...props} choices={of.enum} />;
  }
  const change = (index: number, next: unknown) =>
    onChange(items.map((each, at) => (at === index ? (next ?? blank(of)) : each)));
  const remove = (index: number) => {
    const rest = items.filter((_, at) => at !== index);
    onChange(rest.length || props.isNeeded ? rest : undefined);
  };
  return (
    <Group {...props}>
      <div className="flex flex-col gap-3">
        {items.map((each, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: an item is known by its place alone.
          <div key={index} className="flex items-start gap-2">
            <div className="min-w-0 flex-1">
              <AnyField
                name={`${name} ${index + 1}`}
                schema={of}
                root={root}
                value={each}
                onChange={(next) => change(index, next)}
                faults={faults}
                path={`${path}/${index}`}
                isNeeded={false}
              />
            </div>
            <IconButton
              label={t("remove", { name: `${name} ${index + 1}` })}
              onClick={() => remove(index)}
              className="mt-6"
            >
              <Trash2 aria-hidden className="size-4" />
            </IconButton>
          </div>
        ))}
        <div>
          <Button
            size="sm"
            onClick={() => onChange([...items, initial(of, root) ?? blank(of)])}
            barred={
              items.length >= (schema.maxItems ?? Infinity) &&
              t("faults.many", { limit: schema.maxItems ?? 0 })
            }
          >
            <Plus aria-hidden className="size-3.5" />
            {t("add")}
          </Button>
        </div>
      </div>
    </Group>
  );
}

/** The least that an item of a list can be. */
function blank(schema: Schema): unknown {
  const kinds: Record<string, unknown> = { object: {}, array: [], number: 0, integer: 0 };
  const type = typeOf(schema) ?? "string";
  if (schema.enum) return schema.enum[0];
  return type === "boolean" ? false : (kinds[type] ?? "");
}

function VariantField(props: FieldProps) {
  const { t } = useTranslation("schema");
  const { schema, root, value, onChange } = props;
  const variants = (schema.oneOf ?? schema.anyOf ?? []).map((each) => resolve(each, root));
  const [chosen, setChosen] = useState(() => guessed(variants, value));
  const variant = variants[chosen] ?? {};
  const choose = (index: number) => {
    setChosen(index);
    onChange(initial(variants[index] ?? {}, root));
  };
  return (
    <Group {...props}>
      <div className="flex flex-col gap-3">
        <Select
          label={t("variant")}
          value={String(chosen)}
          onChange={(next) => choose(Number(next))}
          options={variants.map((each, index) => ({
            value: String(index),
            label: each.title ?? typeOf(each) ?? t("variantNumber", { number: index + 1 }),
          }))}
        />
        <AnyField {...props} schema={variant} />
      </div>
    </Group>
  );
}

function guessed(variants: Schema[], value: unknown): number {
  const type = Array.isArray(value) ? "array" : typeof value;
  const found = variants.findIndex((each) => {
    const wanted = typeOf(each);
    return wanted === type || (wanted === "integer" && type === "number");
  });
  return Math.max(found, 0);
}
