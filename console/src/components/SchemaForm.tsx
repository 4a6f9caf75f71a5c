/** A form made from a JSON Schema. */
import { useId, useState } from "react";
import { useTranslation } from "react-i18next";
import { Checkbox, Field, FieldGroup, Input, Optional, Select, Textarea } from "./Field";
import { choicesOf, followed, kindOf, type Schema, type Values } from "./schema";

type Props = {
  schema: Schema;
  values: Values;
  onChange: (values: Values) => void;
  root?: Schema;
  depth?: number;
};

export function SchemaForm({ schema, values, onChange, root = schema, depth = 0 }: Props) {
  const fields = Object.entries(schema.properties ?? {});
  const set = (name: string, value: unknown) => {
    const { [name]: _, ...others } = values;
    // What is left empty is not sent at all.
    onChange(value === undefined ? others : { ...values, [name]: value });
  };
  return (
    <div className="flex flex-col gap-4">
      {fields.map(([name, raw]) => (
        <OneField
          key={name}
          name={name}
          schema={followed(raw, root)}
          isRequired={schema.required?.includes(name) ?? false}
          value={values[name]}
          onChange={(value) => set(name, value)}
          root={root}
          depth={depth}
        />
      ))}
    </div>
  );
}

type FieldProps = {
  name: string;
  schema: Schema;
  isRequired: boolean;
  value: unknown;
  onChange: (value: unknown) => void;
  root: Schema;
  depth: number;
};

function OneField(props: FieldProps) {
  const { name, schema, isRequired, value, onChange, root, depth } = props;
  const label = schema.title ?? name;
  const kind = kindOf(schema, depth);
  if (kind === "boolean") {
    return (
      <Checkbox
        label={label}
        hint={schema.description}
        checked={value === true}
        onChange={(isOn) =>
          onChange(isOn || isRequired || schema.default !== undefined ? isOn : undefined)
        }
      />
    );
  }
  if (kind === "object") {
    return (
      <div className="border-line border-l-2 pl-4">
        <FieldGroup title={label}>
          <SchemaForm
            schema={schema}
            root={root}
            depth={depth + 1}
            values={(value as Values | undefined) ?? {}}
            onChange={(inner) =>
              onChange(Object.keys(inner).length === 0 && !isRequired ? undefined : inner)
            }
          />
        </FieldGroup>
      </div>
    );
  }
  if (kind === "choices") return <Choices {...props} label={label} />;
  return (
    <Field label={label} hint={schema.description} aside={isRequired ? undefined : <Optional />}>
      <Control {...props} />
    </Field>
  );
}

function Control({ schema, value, onChange, isRequired, depth }: FieldProps) {
  const { t } = useTranslation("common");
  const kind = kindOf(schema, depth);
  if (kind === "choice") {
    const choices = choicesOf(schema);
    const index = choices.findIndex((each) => each.value === value);
    return (
      <Select
        value={index < 0 ? "" : String(index)}
        placeholder={t("choose")}
        onChange={(chosen) =>
          onChange(chosen === "none" ? undefined : choices[Number(chosen)]?.value)
        }
        options={[
          ...choices.map((each, number) => ({ value: String(number), label: each.label })),
          ...(isRequired ? [] : [{ value: "none", label: t("none") }]),
        ]}
      />
    );
  }
  if (kind === "number" || kind === "integer") {
    return (
      <Input
        type="number"
        step={kind === "integer" ? 1 : "any"}
        min={schema.minimum}
        max={schema.maximum}
        value={typeof value === "number" ? value : ""}
        onChange={(event) =>
          onChange(event.target.value === "" ? undefined : event.target.valueAsNumber)
        }
      />
    );
  }
  if (kind === "texts") {
    return (
      <Textarea
        rows={3}
        placeholder={t("onePerLine")}
        value={Array.isArray(value) ? value.join("\n") : ""}
        onChange={(event) => {
          const { value: text } = event.target;
          onChange(text === "" ? undefined : text.split("\n"));
        }}
      />
    );
  }
  if (kind === "json") return <JSONControl value={value} onChange={onChange} />;
  return <Text schema={schema} value={value} onChange={onChange} />;
}

const INPUT_TYPES: Record<string, string> = {
  email: "email",
  uri: "url",
  date: "date",
  password: "password",
};

type TextProps = Pick<FieldProps, "schema" | "value" | "onChange">;

function Text({ schema, value, onChange }: TextProps) {
  const text = typeof value === "string" ? value : "";
  const write = (next: string) => onChange(next === "" ? undefined : next);
  const type = INPUT_TYPES[schema.format ?? ""];
  if (!type && (text.includes("\n") || text.length > 80)) {
    return (
      <Textarea autoFocus rows={4} value={text} onChange={(event) => write(event.target.value)} />
    );
  }
  return (
    <Input
      type={type ?? "text"}
      value={text}
      minLength={schema.minLength}
      maxLength={schema.maxLength}
      onChange={(event) => write(event.target.value)}
    />
  );
}

type JSONProps = Pick<FieldProps, "value" | "onChange">;

function JSONControl({ value, onChange }: JSONProps) {
  const { t } = useTranslation("common");
  const [text, setText] = useState(value === undefined ? "" : JSON.stringify(value, null, 2));
  const [isWrong, setWrong] = useState(false);
  const note = useId();
  const write = (next: string) => {
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
        rows={3}
        spellCheck={false}
        placeholder="{ }"
        className="font-mono text-sm"
        value={text}
        onChange={(event) => write(event.target.value)}
        {...(isWrong ? { "aria-invalid": true, "aria-describedby": note } : {})}
      />
      {isWrong && (
        <p id={note} className="text-bad text-xs">
          {t("notJSON")}
        </p>
      )}
    </>
  );
}

function Choices({ schema, value, onChange, isRequired, label }: FieldProps & { label: string }) {
  const chosen = Array.isArray(value) ? value : [];
  const change = (each: unknown, isOn: boolean) => {
    const next = isOn ? [...chosen, each] : chosen.filter((one) => one !== each);
    onChange(next.length === 0 && !isRequired ? undefined : next);
  };
  return (
    <FieldGroup title={label}>
      {choicesOf(schema.items ?? {}).map((each) => (
        <Checkbox
          key={each.label}
          label={each.label}
          checked={chosen.includes(each.value)}
          onChange={(isOn) => change(each.value, isOn)}
        />
      ))}
    </FieldGroup>
  );
}
