/** The fields for values that hold no others: texts, numbers, choices, and anything as JSON. */
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Checkbox, Input, Select, Textarea } from "../Field";
import { type FieldProps, Group, Labelled, Name, useFault } from "./Labelled";
import { typeOf } from "./schema";

export function TextField(props: FieldProps) {
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

export function NumberField(props: FieldProps) {
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

export function BooleanField({
  name,
  schema,
  isNeeded,
  value,
  onChange,
  faults,
  path,
}: FieldProps) {
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

export function ChoiceField(props: FieldProps) {
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

export function SeveralField(props: FieldProps & { choices: unknown[] }) {
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

export function JsonField(props: FieldProps) {
  return (
    <Labelled {...props}>
      <RawField value={props.value} onChange={props.onChange} />
    </Labelled>
  );
}

/** A value written as JSON; it is taken once it can be read. */
export function RawField({
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

function shown(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
