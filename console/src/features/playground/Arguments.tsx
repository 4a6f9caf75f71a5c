/** What a tool is called with: as a form or as JSON, in which era, and by whom. */
import { Play } from "lucide-react";
import { lazy, Suspense, useState } from "react";
import { useTranslation } from "react-i18next";
import type { Tool } from "@/api/servers";
import { Badge } from "@/components/Badge";
import { Button } from "@/components/Button";
import { Field, Input, Select } from "@/components/Field";
import { Skeleton } from "@/components/Page";
import { FaultText } from "@/components/schema/Labelled";
import { SchemaForm } from "@/components/schema/SchemaForm";
import { type Fault, faultsOf, initial, isObject, type Schema } from "@/components/schema/schema";
import { TabPanel, Tabs } from "@/components/Tabs";
import { CopyCall } from "./CopyCall";
import type { Era, Json } from "./client/protocol";
import { Markdown } from "./Markdown";
import { titleOf } from "./ToolList";

const JsonEditor = lazy(() =>
  import("./JsonEditor").then((loaded) => ({ default: loaded.JsonEditor })),
);

type Props = {
  project: string;
  tool: Tool;
  /** What to begin with, where a call is made again. */
  begun: Json | undefined;
  isJson: boolean;
  onJson: (isJson: boolean) => void;
  era: Era;
  onEra: (era: Era) => void;
  apiKey: string | undefined;
  onKey: (key: string | undefined) => void;
  onRun: (values: Json) => void;
};

export function Arguments(props: Props) {
  const { t } = useTranslation("playground");
  const { tool, isJson, onJson, onRun } = props;
  const schema = (tool.inputSchema ?? { type: "object" }) as Schema;
  const [value, setValue] = useState<unknown>(() => props.begun ?? initial(schema) ?? {});
  const [text, setText] = useState(() => JSON.stringify(value, null, 2));
  const [faults, setFaults] = useState<Fault[]>([]);
  const written = isJson ? parsed(text) : { value };
  const change = (next: unknown) => {
    setValue(next);
    setText(JSON.stringify(next, null, 2));
    if (faults.length > 0) setFaults(faultsOf(schema, next));
  };
  const write = (next: string) => {
    setText(next);
    const found = parsed(next);
    if ("value" in found) {
      setValue(found.value);
      setFaults((known) => (known.length > 0 ? faultsOf(schema, found.value) : known));
    }
  };
  const run = () => {
    if (!("value" in written) || !isObject(written.value)) return;
    const found = faultsOf(schema, written.value);
    setFaults(found);
    // In JSON one may send what does not fit, to see what the server makes of it.
    if (found.length === 0 || isJson) onRun(written.value);
  };
  const barred = "fault" in written ? t("notJson") : !isObject(written.value) && t("notObject");
  const unshown = isJson ? faults : faults.filter((each) => each.word === "unknown");
  return (
    <form
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        run();
      }}
      onKeyDown={(event) => {
        if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) run();
      }}
    >
      <Head tool={tool} />
      <div className="px-4">
        <Tabs
          label={t("inputAs")}
          value={isJson ? "json" : "form"}
          onChange={(next) => onJson(next === "json")}
          tabs={[
            { value: "form", label: t("form") },
            { value: "json", label: t("json") },
          ]}
        >
          <TabPanel value="form">
            <SchemaForm schema={schema} value={value} onChange={change} faults={faults} />
          </TabPanel>
          <TabPanel value="json">
            <Suspense fallback={<Skeleton className="h-40" />}>
              <JsonEditor text={text} onChange={write} label={t("json")} />
            </Suspense>
            {"fault" in written && <p className="mt-1.5 text-bad text-xs">{t("notJson")}</p>}
          </TabPanel>
        </Tabs>
        {unshown.length > 0 && (
          <ul className="mt-3 text-sm">
            {unshown.map((fault) => (
              <li key={`${fault.path} ${fault.word}`} className="text-warn">
                <code className="font-mono text-xs">{fault.path || "/"}</code>{" "}
                <FaultText fault={fault} />
              </li>
            ))}
          </ul>
        )}
      </div>
      <As {...props} />
      <div className="flex flex-wrap items-center gap-2 border-t px-4 py-3">
        <Button kind="primary" type="submit" barred={barred}>
          <Play aria-hidden className="size-3.5" />
          {t("run")}
        </Button>
        <CopyCall
          call={{
            project: props.project,
            tool: tool.exposed_name,
            arguments: "value" in written && isObject(written.value) ? written.value : {},
          }}
        />
        <kbd className="ml-auto text-muted text-xs max-sm:hidden">{t("shortcut")}</kbd>
      </div>
    </form>
  );
}

function parsed(text: string): { value: unknown } | { fault: true } {
  try {
    return { value: text.trim() === "" ? {} : JSON.parse(text) };
  } catch {
    return { fault: true };
  }
}

const HINTS = {
  readOnlyHint: "ok",
  destructiveHint: "bad",
  idempotentHint: "neutral",
  openWorldHint: "neutral",
} as const;

function Head({ tool }: { tool: Tool }) {
  const { t } = useTranslation("playground");
  const told = Object.entries(HINTS).filter(([name]) => tool.annotations?.[name] === true);
  return (
    <div className="px-4 pt-4 pb-3">
      <div className="flex flex-wrap items-center gap-2">
        <h2 className="font-semibold text-lg">{titleOf(tool)}</h2>
        {told.map(([name, tone]) => (
          <Badge key={name} tone={tone}>
            {t(`hints.${name as keyof typeof HINTS}`)}
          </Badge>
        ))}
      </div>
      <code className="font-mono text-muted text-xs">{tool.exposed_name}</code>
      {tool.description && (
        <div className="mt-2 max-h-48 overflow-y-auto text-muted">
          <Markdown text={tool.description} />
        </div>
      )}
    </div>
  );
}

function As({ era, onEra, apiKey, onKey }: Props) {
  const { t } = useTranslation("playground");
  return (
    <div className="mt-4 grid gap-3 border-t bg-sunken/50 px-4 py-3 sm:grid-cols-2">
      <Field label={t("era")}>
        <Select
          value={era}
          onChange={(value) => onEra(value as Era)}
          options={(["modern", "legacy"] as const).map((value) => ({
            value,
            label: t(`eras.${value}`),
            note: t(`eraNotes.${value}`),
          }))}
        />
      </Field>
      <Field label={t("caller")}>
        <Select
          value={apiKey === undefined ? "me" : "key"}
          onChange={(value) => onKey(value === "me" ? undefined : "")}
          options={[
            { value: "me", label: t("callers.me") },
            { value: "key", label: t("callers.key") },
          ]}
        />
      </Field>
      {apiKey !== undefined && (
        <Field label={t("key")} hint={t("keyHint")} className="sm:col-span-2">
          <Input
            type="password"
            autoComplete="off"
            value={apiKey}
            onChange={(event) => onKey(event.target.value)}
          />
        </Field>
      )}
    </div>
  );
}
