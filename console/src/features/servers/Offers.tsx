/** What a server offers: its tools, resources and prompts. */
import { queryOptions, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { ChevronRight, FileText, MessageSquareText, SquareTerminal, Wrench } from "lucide-react";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { api, brought } from "@/api/client";
import type { Server, Tool } from "@/api/servers";
import { Badge } from "@/components/Badge";
import { buttonStyle } from "@/components/Button";
import { Code, CopyButton } from "@/components/Copy";
import { Card, Empty, Failure, SkeletonRows } from "@/components/Page";
import { ToolSwitch } from "@/components/ToolSwitch";

type Props = { project: string; server: Server };

type Resource = {
  name?: string;
  title?: string;
  uri?: string;
  uriTemplate?: string;
  description?: string;
  mimeType?: string;
};
type Prompt = {
  name: string;
  title?: string;
  description?: string;
  arguments?: { name: string; required?: boolean }[];
};

export function ServerTools({ project, server }: Props) {
  const { t } = useTranslation("servers");
  const { data, error } = useQuery(
    queryOptions({
      queryKey: ["project", project, "servers", server.id, "tools"],
      queryFn: async () => {
        const query = { include_disabled: true };
        const params = { path: { project, server: server.id }, query };
        const path = "/api/v1/projects/{project}/servers/{server}/tools";
        return (await brought(api.GET(path, { params }))).tools as Tool[];
      },
    }),
  );
  return (
    <Listed items={data} error={error} icon={Wrench} empty={t("noTools")}>
      {(tool) => (
        <div key={tool.name} className="relative border-b last:border-b-0">
          <OneTool project={project} tool={tool} />
          {/* Beside the summary, for a control within another cannot be told from it. */}
          <span className="absolute top-3 right-4">
            <ToolSwitch project={project} tool={tool} />
          </span>
        </div>
      )}
    </Listed>
  );
}

function OneTool({ project, tool }: { project: string; tool: Tool }) {
  const { t } = useTranslation("servers");
  return (
    <details className="group">
      <summary className="flex items-center gap-3 py-2.5 pr-16 pl-4 hover:bg-hover/60">
        <ChevronRight
          aria-hidden
          className="size-4 shrink-0 text-muted transition-transform group-open:rotate-90"
        />
        <div className="min-w-0 flex-1">
          <p className="flex flex-wrap items-center gap-2 font-medium font-mono text-sm">
            {tool.name}
            {!tool.enabled && (
              <Badge tone="warn" className="font-sans">
                {t("switchedOff")}
              </Badge>
            )}
          </p>
          {tool.description && (
            <p className="line-clamp-1 text-muted text-sm group-open:line-clamp-none">
              {tool.description}
            </p>
          )}
        </div>
      </summary>
      <div className="flex flex-col gap-3 px-4 pb-4 pl-11">
        <div className="flex flex-wrap items-center gap-2 text-sm">
          <Marks tool={tool} />
          <span className="text-muted">{t("exposedAs")}</span>
          <code className="font-mono">{tool.exposed_name}</code>
          <CopyButton text={tool.exposed_name} />
          {tool.enabled && (
            <Link
              to="/p/$project/playground"
              params={{ project }}
              search={{ tool: tool.exposed_name }}
              className={buttonStyle({ size: "sm" })}
            >
              <SquareTerminal aria-hidden className="size-3.5" />
              {t("tryIt")}
            </Link>
          )}
        </div>
        <Code
          label={t("schemaOf", { name: tool.name })}
          text={JSON.stringify(tool.inputSchema ?? {}, null, 2)}
        />
      </div>
    </details>
  );
}

function Marks({ tool }: { tool: Tool }) {
  const { t } = useTranslation("servers");
  const { readOnlyHint, destructiveHint } = tool.annotations ?? {};
  return (
    <>
      {readOnlyHint === true && <Badge tone="ok">{t("readOnly")}</Badge>}
      {readOnlyHint !== true && destructiveHint === true && (
        <Badge tone="warn">{t("destructive")}</Badge>
      )}
    </>
  );
}

export function Resources({ project, server }: Props) {
  const { t } = useTranslation("servers");
  const { data, error } = useQuery({
    queryKey: ["project", project, "servers", server.id, "resources"],
    queryFn: async () => {
      const params = { path: { project, server: server.id } };
      const base = "/api/v1/projects/{project}/servers/{server}";
      const [plain, templates] = await Promise.all([
        brought(api.GET(`${base}/resources`, { params })),
        brought(api.GET(`${base}/resource-templates`, { params })),
      ]);
      return [...plain.items, ...templates.items] as Resource[];
    },
  });
  return (
    <Listed items={data} error={error} icon={FileText} empty={t("noResources")}>
      {(resource) => {
        const address = resource.uri ?? resource.uriTemplate ?? "";
        return (
          <Line
            key={address}
            title={resource.title ?? resource.name ?? address}
            note={resource.description}
            aside={resource.mimeType ?? (resource.uriTemplate ? t("template") : undefined)}
          >
            <code className="font-mono text-muted text-xs">{address}</code>
          </Line>
        );
      }}
    </Listed>
  );
}

export function Prompts({ project, server }: Props) {
  const { t } = useTranslation("servers");
  const { data, error } = useQuery({
    queryKey: ["project", project, "servers", server.id, "prompts"],
    queryFn: async () => {
      const params = { path: { project, server: server.id } };
      const path = "/api/v1/projects/{project}/servers/{server}/prompts";
      return (await brought(api.GET(path, { params }))).items as Prompt[];
    },
  });
  return (
    <Listed items={data} error={error} icon={MessageSquareText} empty={t("noPrompts")}>
      {(prompt) => (
        <Line key={prompt.name} title={prompt.title ?? prompt.name} note={prompt.description}>
          <span className="flex flex-wrap gap-1">
            {(prompt.arguments ?? []).map((argument) => (
              <Badge key={argument.name} className="font-mono">
                {argument.required ? `${argument.name} *` : argument.name}
              </Badge>
            ))}
          </span>
        </Line>
      )}
    </Listed>
  );
}

type ListedProps<Item> = {
  items: Item[] | undefined;
  error: unknown;
  icon: typeof Wrench;
  empty: string;
  children: (item: Item) => ReactNode;
};

function Listed<Item>({ items, error, icon, empty, children }: ListedProps<Item>) {
  if (error && !items) return <Failure error={error} />;
  return (
    <Card>
      {!items ? (
        <SkeletonRows rows={4} />
      ) : items.length === 0 ? (
        <Empty icon={icon} title={empty} />
      ) : (
        items.map(children)
      )}
    </Card>
  );
}

type LineProps = { title: string; note?: string; aside?: string; children: ReactNode };

function Line({ title, note, aside, children }: LineProps) {
  return (
    <div className="border-b px-4 py-2.5 last:border-b-0">
      <div className="flex items-baseline gap-3">
        <p className="min-w-0 flex-1 font-medium">{title}</p>
        {aside && <span className="text-muted text-xs">{aside}</span>}
      </div>
      {note && <p className="text-muted text-sm">{note}</p>}
      {children}
    </div>
  );
}
