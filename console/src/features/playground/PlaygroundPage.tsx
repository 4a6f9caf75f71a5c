/** Calling a tool: a form, what the server asks meanwhile, and the result. */
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { Play, Square, SquareTerminal, Wrench } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { type Tool, toolsQuery } from "@/api/servers";
import { Button } from "@/components/Button";
import { JsonEditor } from "@/components/JsonEditor";
import { Card, Empty, Failure, Page, Skeleton } from "@/components/Page";
import { SchemaForm } from "@/components/SchemaForm";
import { beginning, missing, type Schema, type Values } from "@/components/schema";
import { TabPanel, Tabs } from "@/components/Tabs";
import { RecentCalls } from "./RecentCalls";
import { RunView } from "./RunView";
import { SnippetMenu } from "./SnippetMenu";
import type { PlaygroundSearch } from "./search";
import { ToolPicker } from "./ToolPicker";
import { useInvocation } from "./useInvocation";

const route = getRouteApi("/inside/p/$project/playground");

export function PlaygroundPage() {
  const { t } = useTranslation("playground");
  const { project } = route.useParams();
  const search = route.useSearch();
  const navigate = useNavigate();
  const { data: tools, error, refetch } = useQuery(toolsQuery(project));
  const { run, start, cancel, answer } = useInvocation(project);
  const [drafts, setDrafts] = useState<Record<string, Values>>({});
  const tool = tools?.find((each) => each.exposed_name === search.tool) ?? tools?.[0];
  const go = (changes: Partial<PlaygroundSearch>) =>
    navigate({
      to: "/p/$project/playground",
      params: { project },
      search: { ...search, ...changes },
      replace: true,
      resetScroll: false,
    });
  const draft = (name: string, values: Values) => setDrafts((all) => ({ ...all, [name]: values }));
  if (error && !tools) {
    return (
      <Page title={t("title")} note={t("note")}>
        <Failure error={error} retry={refetch} />
      </Page>
    );
  }
  if (tools?.length === 0) {
    return (
      <Page title={t("title")} note={t("note")}>
        <Card>
          <Empty icon={Wrench} title={t("empty.title")}>
            {t("empty.next")}
          </Empty>
        </Card>
      </Page>
    );
  }
  return (
    <Page title={t("title")} note={t("note")}>
      <div className="grid items-start gap-5 xl:grid-cols-[17rem_minmax(0,1fr)_minmax(0,1.15fr)] lg:grid-cols-2">
        <div className="lg:col-span-2 xl:col-span-1">
          <ToolPicker
            tools={tools}
            chosen={tool?.exposed_name}
            onChoose={(name) => go({ tool: name })}
          />
        </div>
        {tool ? (
          <Arguments
            key={tool.exposed_name}
            project={project}
            tool={tool}
            values={drafts[tool.exposed_name] ?? beginning((tool.inputSchema ?? {}) as Schema)}
            onChange={(values) => draft(tool.exposed_name, values)}
            mode={search.mode ?? "form"}
            onMode={(mode) => go({ mode: mode === "json" ? "json" : undefined })}
            isRunning={run?.state === "running"}
            onRun={(args) => start(tool, args)}
            onCancel={cancel}
          />
        ) : (
          <Skeleton className="h-96" />
        )}
        <Card className="lg:min-h-96">
          {run ? (
            <RunView
              run={run}
              outputSchema={tools?.find((each) => each.exposed_name === run.tool)?.outputSchema}
              onAnswer={answer}
              onCancel={cancel}
              isRaw={search.view === "raw"}
              onRaw={(isRaw) => go({ view: isRaw ? "raw" : undefined })}
            />
          ) : (
            <Empty icon={SquareTerminal} title={t("notYet")}>
              {t("notYetNote")}
            </Empty>
          )}
        </Card>
      </div>
      <RecentCalls
        project={project}
        onReplay={({ tool: name, args }) => {
          draft(name, args);
          go({ tool: name });
          const found = tools?.find((each) => each.exposed_name === name);
          if (found) start(found, args);
        }}
      />
    </Page>
  );
}

type Props = {
  project: string;
  tool: Tool;
  values: Values;
  onChange: (values: Values) => void;
  mode: "form" | "json";
  onMode: (mode: string) => void;
  isRunning: boolean;
  onRun: (args: Values) => void;
  onCancel: () => void;
};

function Arguments({
  project,
  tool,
  values,
  onChange,
  mode,
  onMode,
  isRunning,
  onRun,
  onCancel,
}: Props) {
  const { t } = useTranslation("playground");
  const schema = (tool.inputSchema ?? {}) as Schema;
  const [text, setText] = useState<string | null>(null);
  const [isWrong, setWrong] = useState(false);
  const isPlain = Object.keys(schema.properties ?? {}).length === 0;
  const lacking = missing(schema, values);
  const write = (next: string) => {
    setText(next);
    try {
      const parsed: unknown = JSON.parse(next || "{}");
      const isObject = typeof parsed === "object" && parsed !== null && !Array.isArray(parsed);
      if (isObject) onChange(parsed as Values);
      setWrong(!isObject);
    } catch {
      setWrong(true);
    }
  };
  const bar = isWrong
    ? t("wrongJSON")
    : mode === "form" && lacking.length > 0 && t("lacking", { names: lacking.join(", ") });
  return (
    <Card
      title={<span className="font-mono text-sm">{tool.exposed_name}</span>}
      actions={<SnippetMenu project={project} tool={tool.exposed_name} args={values} />}
    >
      <form
        className="flex flex-col gap-4 p-4"
        onSubmit={(event) => {
          event.preventDefault();
          if (!bar && !isRunning) onRun(values);
        }}
      >
        {tool.description && (
          <p className="line-clamp-6 whitespace-pre-line text-base text-muted">
            {tool.description}
          </p>
        )}
        <Tabs
          label={t("mode")}
          value={mode}
          onChange={(next) => {
            setText(null);
            setWrong(false);
            onMode(next);
          }}
          tabs={[
            { value: "form", label: t("form") },
            { value: "json", label: t("json") },
          ]}
        >
          <TabPanel value="form">
            {isPlain ? (
              <p className="text-muted">{t("noArguments")}</p>
            ) : (
              <SchemaForm schema={schema} values={values} onChange={onChange} />
            )}
          </TabPanel>
          <TabPanel value="json">
            <JsonEditor
              label={t("arguments")}
              text={text ?? JSON.stringify(values, null, 2)}
              onChange={write}
            />
          </TabPanel>
        </Tabs>
        <div className="flex gap-2">
          <Button type="submit" kind="primary" barred={bar} busy={isRunning}>
            {!isRunning && <Play aria-hidden className="size-4" />}
            {t("run")}
          </Button>
          {isRunning && (
            <Button onClick={onCancel}>
              <Square aria-hidden className="size-3.5" />
              {t("cancel")}
            </Button>
          )}
        </div>
      </form>
    </Card>
  );
}
