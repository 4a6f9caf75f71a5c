/** A form for a value of a JSON Schema; what no field can show is written as JSON. */
import { Plus, Trash2 } from "lucide-react";
import { type ReactNode, useState } from "react";
import { useTranslation } from "react-i18next";
import { Button, IconButton } from "../Button";
import { Checkbox, Field, Input, Select, Textarea } from "../Field";
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

type PartProps = {
  schema: Schema;
  root: Schema;
  value: unknown;
  onChange: (value: unknown) => void;
  faults: readonly Fault[];
  path: string;
};

type FieldProps = PartProps & { name: string; isNeeded: boolean };

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

function Labelled({
  name,
  schema,
  isNeeded,
  faults,
  path,
  children,
}: FieldProps & { children: ReactNode }) {
  const error = useFault(faults, path);
  return (
    <Field
      label={<Name name={name} schema={schema} isNeeded={isNeeded} />}
      hint={schema.description}
      error={error}
      aside={<TypeMark schema={schema} />}
    >
      {children}
    </Field>
  );
}

function Name({ name, schema, isNeeded }: { name: string; schema: Schema; isNeeded: boolean }) {
  const { t } = useTranslation("schema");
  return (
    <>
      {schema.title ?? name}
      {schema.title && schema.title.toLowerCase() !== name.toLowerCase() && (
        <>
          {" "}
          <code className="font-mono font-normal text-muted text-xs">{name}</code>
        </>
      )}
      {isNeeded && (
        <span className="ml-0.5 text-bad" title={t("needed")}>
          <span aria-hidden>{"*"}</span>
          <span className="sr-only"> {t("needed")}</span>
        </span>
      )}
    </>
  );
}

function TypeMark({ schema }: { schema: Schema }) {
  const type = schema.enum ? "enum" : (schema.format ?? typeOf(schema));
  return type ? <code className="font-mono text-muted text-xs">{type}</code> : null;
}

/** What is wrong at one place, in words. */
export function useFault(faults: readonly Fault[], path: string): string | undefined {
  const { t } = useTranslation("schema");
  const fault = faults.find((each) => each.path === path);
  return fault && t(`faults.${fault.word}`, fault.values);
}

export function FaultText({ fault }: { fault: Fault }) {
  const { t } = useTranslation("schema");
  return t(`faults.${fault.word}`, fault.values);
}

function TextField(props: FieldProps) {
  const { schema, value, onChange } = props;
  const text = typeof value === "string" ? value : "";
  const change = (next: string) => onChange(next === "" ? undefined : next);
  const example = schema.examples?.[0];
  const placeholder = typeof example === "string" ? example : undefined;
  const kind = { date: "date", email: "email", uri: "url", password: "password" }[
    schema.format ?? ""
  ];
  const isLong = !kind && (text.length > 60 || text.includes("\n") || isProse(props.name));
  return (
    <Labelled {...props}>
      {isLong ? (
        <Textarea
          value={text}
          placeholder={placeholder}
          rows={Math.min(10, Math.max(3, text.split("\n").length))}
          onChange={(event) => change(event.target.value)}
        />
      ) : (
        <Input
          type={kind ?? "text"}
          value={text}
          placeholder={placeholder}
          autoComplete="off"
          onChange={(event) => change(event.target.value)}
        />
      )}
    </Labelled>
  );
}

/** Whether a text of this name is usually longer than a line. */
function isProse(name: string): boolean {
  return /(content|body|text|prompt|description|query|code|html|markdown|sql)$/i.test(name);
}

function NumberField(props: FieldProps) {
  const { schema, value, onChange } = props;
  return (
    <Labelled {...props}>
      <Input
        type="number"
        step={typeOf(schema) === "integer" ? 1 : "any"}
        min={schema.minimum}
        max={schema.maximum}
        value={typeof value === "number" ? value : ""}
        onChange={(event) =>
          onChange(
            Number.isNaN(event.target.valueAsNumber) ? undefined : event.target.valueAsNumber,
          )
        }
      />
    </Labelled>
  );
}

function BooleanField({ name, schema, isNeeded, value, onChange, faults, path }: FieldProps) {
  const error = useFault(faults, path);
  return (
    <div>
      <Checkbox
        checked={value === true}
        onChange={onChange}
        label={<Name name={name} schema={schema} isNeeded={isNeeded} />}
        hint={schema.description}
      />
      {error && <p className="mt-1 text-bad text-xs">{error}</p>}
    </div>
  );
}

const NOTHING = "\u0000";

function ChoiceField(props: FieldProps) {
  const { t } = useTranslation("schema");
  const { schema, value, onChange, isNeeded } = props;
  const variants = schema.oneOf ?? schema.anyOf;
  const options: { value: unknown; label: string }[] = variants
    ? variants.map((each) => ({ value: each.const, label: each.title ?? shown(each.const) }))
    : (schema.enum ?? [schema.const]).map((each, index) => ({
        value: each,
        label: schema.enumNames?.[index] ?? shown(each),
      }));
  const chosen = options.findIndex((each) => each.value === value);
  const listed = options.map((each, index) => ({ value: String(index), label: each.label }));
  return (
    <Labelled {...props}>
      <Select
        value={chosen < 0 ? (isNeeded ? "" : NOTHING) : String(chosen)}
        onChange={(next) => onChange(next === NOTHING ? undefined : options[Number(next)]?.value)}
        placeholder={t("choose")}
        options={isNeeded ? listed : [{ value: NOTHING, label: t("leftOut") }, ...listed]}
      />
    </Labelled>
  );
}

function shown(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
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

function SeveralField(props: FieldProps & { choices: unknown[] }) {
  const { value, onChange, choices, isNeeded } = props;
  const chosen = Array.isArray(value) ? value : [];
  const toggle = (each: unknown, isOn: boolean) => {
    const next = choices.filter((one) => (one === each ? isOn : chosen.includes(one)));
    onChange(next.length || isNeeded ? next : undefined);
  };
  return (
    <Group {...props}>
      <div className="flex flex-wrap gap-x-5 gap-y-2">
        {choices.map((each) => (
          <Checkbox
            key={shown(each)}
            checked={chosen.includes(each)}
            onChange={(isOn) => toggle(each, isOn)}
            label={shown(each)}
          />
        ))}
      </div>
    </Group>
  );
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

function Group({
  name,
  schema,
  isNeeded,
  faults,
  path,
  children,
}: FieldProps & { children: ReactNode }) {
  const error = useFault(faults, path);
  return (
    <fieldset className="min-w-0">
      <legend className="mb-1 font-medium text-sm">
        <Name name={name} schema={schema} isNeeded={isNeeded} />
      </legend>
      {schema.description && <p className="mb-2 text-muted text-xs">{schema.description}</p>}
      {error && <p className="mb-2 text-bad text-xs">{error}</p>}
      <div className="border-l-2 pl-3">{children}</div>
    </fieldset>
  );
}

function JsonField(props: FieldProps) {
  return (
    <Labelled {...props}>
      <RawField value={props.value} onChange={props.onChange} />
    </Labelled>
  );
}

/** A value written as JSON; it is taken once it can be read. */
function RawField({
  value,
  onChange,
  label,
}: {
  value: unknown;
  onChange: (value: unknown) => void;
  label?: string;
}) {
  const { t } = useTranslation("schema");
  const [text, setText] = useState(() =>
    value === undefined ? "" : JSON.stringify(value, null, 2),
  );
  const [isWrong, setWrong] = useState(false);
  const change = (next: string) => {
    setText(next);
    try {
      onChange(next.trim() === "" ? undefined : JSON.parse(next));
      setWrong(false);
    } catch {
      setWrong(true);
    }
  };
  return (
    <>
      <Textarea
        value={text}
        aria-label={label}
        spellCheck={false}
        className="font-mono"
        placeholder={t("json")}
        onChange={(event) => change(event.target.value)}
      />
      {isWrong && <p className="text-bad text-xs">{t("notJson")}</p>}
    </>
  );
}
