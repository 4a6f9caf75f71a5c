/** The filters of the records; each stands in the address. */
import { useQuery } from "@tanstack/react-query";
import { SlidersHorizontal, X } from "lucide-react";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { serversQuery } from "@/api/servers";
import { SPANS, type Span } from "@/api/statistics";
import { Button } from "@/components/Button";
import { Input, SearchInput, Select } from "@/components/Field";
import { useFormats } from "@/components/format";
import { countOf, OUTCOMES, type Outcome, type RecordsSearch } from "./search";

const ALL = "*";
const PAUSE = 300; // milliseconds without a key, after which what was typed counts

type Props = {
  project: string;
  filters: RecordsSearch;
  onChange: (next: Partial<RecordsSearch>, replace?: boolean) => void;
};

export function Filters({ project, filters, onChange }: Props) {
  const { t } = useTranslation("records");
  const [isOpen, setOpen] = useState(
    Boolean(filters.method ?? filters.principal ?? filters.request_id ?? filters.era),
  );
  const { duration } = useFormats();
  const { data: servers = [] } = useQuery(serversQuery(project));
  const names = new Set(servers.map((each) => each.name));
  if (filters.server) names.add(filters.server);
  const one = <Value extends string>(value: string) =>
    value === ALL ? undefined : (value as Value);
  const count = countOf(filters);
  return (
    <search className="flex flex-col gap-2">
      <div className="grid grid-cols-2 gap-2 md:flex md:flex-wrap">
        <Typed
          isSearch
          label={t("tool")}
          value={filters.tool}
          onChange={(tool) => onChange({ tool }, true)}
          className="max-md:col-span-2 md:w-60"
        />
        <Select
          label={t("server")}
          className="md:w-40"
          value={filters.server ?? ALL}
          onChange={(value) => onChange({ server: one(value) })}
          options={[
            { value: ALL, label: t("allServers") },
            ...[...names].sort().map((name) => ({ value: name, label: name })),
          ]}
        />
        <Select
          label={t("outcome")}
          className="md:w-40"
          value={filters.outcome ?? ALL}
          onChange={(value) => onChange({ outcome: one<Outcome>(value) })}
          options={[
            { value: ALL, label: t("allOutcomes") },
            ...OUTCOMES.map((value) => ({ value, label: t(`outcomes.${value}`) })),
          ]}
        />
        <Select
          label={t("span")}
          className="md:w-36"
          value={filters.span ?? ALL}
          onChange={(value) => onChange({ span: one<Span>(value) })}
          options={[
            { value: ALL, label: t("anyTime") },
            ...Object.keys(SPANS).map((value) => ({ value, label: t(`spans.${value as Span}`) })),
          ]}
        />
        <Select
          label={t("slowness")}
          className="md:w-36"
          value={filters.min_ms ? String(filters.min_ms) : ALL}
          onChange={(value) => onChange({ min_ms: value === ALL ? undefined : Number(value) })}
          options={[
            { value: ALL, label: t("anySpeed") },
            ...[...new Set([100, 500, 2000, 10_000, filters.min_ms ?? 100])]
              .sort((a, b) => a - b)
              .map((ms) => ({ value: String(ms), label: t("atLeast", { time: duration(ms) }) })),
          ]}
        />
        <Button aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
          <SlidersHorizontal aria-hidden className="size-3.5" />
          {t("more")}
        </Button>
        {count > 0 && (
          <Button kind="quiet" onClick={() => onChange(NONE)}>
            <X aria-hidden className="size-3.5" />
            {t("clear")}
          </Button>
        )}
      </div>
      {isOpen && (
        <div className="grid gap-2 sm:grid-cols-2 lg:grid-cols-4">
          <Typed
            label={t("method")}
            value={filters.method}
            onChange={(method) => onChange({ method }, true)}
          />
          <Typed
            label={t("principal")}
            value={filters.principal}
            onChange={(principal) => onChange({ principal }, true)}
          />
          <Typed
            label={t("requestId")}
            value={filters.request_id}
            onChange={(request_id) => onChange({ request_id }, true)}
          />
          <Select
            label={t("era")}
            value={filters.era ?? ALL}
            onChange={(value) => onChange({ era: one<"modern" | "legacy">(value) })}
            options={[
              { value: ALL, label: t("anyEra") },
              { value: "modern", label: t("eras.modern") },
              { value: "legacy", label: t("eras.legacy") },
            ]}
          />
        </div>
      )}
    </search>
  );
}

const NONE: RecordsSearch = {
  server: undefined,
  tool: undefined,
  method: undefined,
  outcome: undefined,
  principal: undefined,
  era: undefined,
  span: undefined,
  min_ms: undefined,
  request_id: undefined,
};

type TypedProps = {
  label: string;
  value: string | undefined;
  onChange: (value: string | undefined) => void;
  isSearch?: boolean;
  className?: string;
};

/** A text that counts once typing pauses. */
function Typed({ label, value, onChange, isSearch, className }: TypedProps) {
  const [text, setText] = useState(value ?? "");
  const [known, setKnown] = useState(value);
  if (known !== value) {
    setKnown(value);
    if ((value ?? "") !== text.trim()) setText(value ?? "");
  }
  // biome-ignore lint/correctness/useExhaustiveDependencies: only typing starts the wait.
  useEffect(() => {
    const next = text.trim() || undefined;
    if (next === value) return;
    const timer = setTimeout(() => onChange(next), PAUSE);
    return () => clearTimeout(timer);
  }, [text]);
  const Shown = isSearch ? SearchInput : Input;
  return (
    <Shown
      aria-label={label}
      placeholder={label}
      value={text}
      className={className}
      onChange={(event) => setText(event.target.value)}
    />
  );
}
