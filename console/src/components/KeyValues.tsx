/** Rows of names and values, such as headers and variables; what is kept secret shows as kept. */
import { Plus, Trash2 } from "lucide-react";
import { useTranslation } from "react-i18next";
import { Button, IconButton } from "./Button";
import { Input } from "./Field";

/** What the API writes for a value that it keeps and never shows. */
export const KEPT = "***";

export type KeyValue = { name: string; value: string };

type Props = {
  label: string;
  rows: readonly KeyValue[];
  onChange: (rows: KeyValue[]) => void;
  nameHint?: string;
};

export function KeyValues({ label, rows, onChange, nameHint }: Props) {
  const { t } = useTranslation("common");
  const change = (index: number, part: Partial<KeyValue>) =>
    onChange(rows.map((row, each) => (each === index ? { ...row, ...part } : row)));
  return (
    <fieldset className="flex min-w-0 flex-col gap-1.5">
      <legend className="mb-1 font-medium text-sm">{label}</legend>
      {rows.map((row, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: rows have no other identity.
        <div key={index} className="flex items-center gap-1.5">
          <Input
            aria-label={t("nameOf", { what: label, number: index + 1 })}
            placeholder={nameHint ?? t("name")}
            value={row.name}
            spellCheck={false}
            className="font-mono text-sm"
            onChange={(event) => change(index, { name: event.target.value })}
          />
          <Input
            aria-label={t("valueOf", { what: label, number: index + 1 })}
            placeholder={row.value === KEPT ? t("kept") : t("value")}
            value={row.value === KEPT ? "" : row.value}
            type={row.value === KEPT ? "text" : "password"}
            autoComplete="off"
            className="font-mono text-sm"
            onChange={(event) => change(index, { value: event.target.value })}
          />
          <IconButton
            label={t("removeRow", { name: row.name || index + 1 })}
            onClick={() => onChange(rows.filter((_, each) => each !== index))}
          >
            <Trash2 aria-hidden className="size-4" />
          </IconButton>
        </div>
      ))}
      <Button
        kind="quiet"
        size="sm"
        className="self-start"
        onClick={() => onChange([...rows, { name: "", value: "" }])}
      >
        <Plus aria-hidden className="size-3.5" />
        {t("addRow")}
      </Button>
    </fieldset>
  );
}

/** Rows as the object that the API takes; rows without a name are left out. */
export function asObject(rows: readonly KeyValue[]): Record<string, string> {
  return Object.fromEntries(
    rows.filter((row) => row.name.trim()).map((row) => [row.name.trim(), row.value]),
  );
}
