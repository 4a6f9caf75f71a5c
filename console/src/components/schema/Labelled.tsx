/** What stands around a field of a schema: its name, its type, and what is wrong with its value. */
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { Field } from "../Field";
import { type Fault, type Schema, typeOf } from "./schema";

export type PartProps = {
  schema: Schema;
  root: Schema;
  value: unknown;
  onChange: (value: unknown) => void;
  faults: readonly Fault[];
  path: string;
};

export type FieldProps = PartProps & { name: string; isNeeded: boolean };

export function Labelled({
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

export function Group({
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

export function Name({
  name,
  schema,
  isNeeded,
}: {
  name: string;
  schema: Schema;
  isNeeded: boolean;
}) {
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
