/** The fields of a rate limit: how many calls, in which time. */
import { useTranslation } from "react-i18next";
import type { Schemas } from "@/api/client";
import { Field, Input, Select } from "./Field";

type Per = Schemas["RateLimitView"]["per"];
const PERS: readonly Per[] = ["minute", "second"];

/** What is in the fields; without a number there is no limit. */
export type Rate = { calls: string; per: Per };

export const NO_RATE: Rate = { calls: "", per: "minute" };

/** Returns the limit that the fields say, as the API takes it. */
export function limitOf({ calls, per }: Rate): { calls: number; per: Per } | null {
  return calls ? { calls: Number(calls), per } : null;
}

type Props = { hint: string; value: Rate; onChange: (rate: Rate) => void };

export function RateField({ hint, value, onChange }: Props) {
  const { t } = useTranslation("common");
  return (
    <div className="grid grid-cols-2 gap-4">
      <Field label={t("rate.calls")} hint={hint}>
        <Input
          type="number"
          min={1}
          value={value.calls}
          onChange={(event) => onChange({ ...value, calls: event.target.value })}
        />
      </Field>
      <Field label={t("rate.per")}>
        <Select
          value={value.per}
          onChange={(per) => onChange({ ...value, per: per as Per })}
          options={PERS.map((per) => ({ value: per, label: t(`rate.pers.${per}`) }))}
        />
      </Field>
    </div>
  );
}
