/** All tools of the project, of every server: searched, read, named, and switched off and on. */
import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { SearchX } from "lucide-react";
import { useTranslation } from "react-i18next";
import { allToolsQuery, type Tool } from "@/api/servers";
import { Badge } from "@/components/Badge";
import { type Column, DataTable } from "@/components/DataTable";
import { SearchInput, Select } from "@/components/Field";
import { NoTools } from "@/components/NoTools";
import { Card, Empty, Failure, Page, SkeletonRows } from "@/components/Page";
import { ToolSwitch } from "@/components/ToolSwitch";
import { STATES, type ToolState, type ToolsSearch } from "./search";
import { ToolDrawer, titleOf } from "./ToolDrawer";

const route = getRouteApi("/inside/p/$project/tools");
const ALL = "*";

export function ToolsPage() {
  const { t } = useTranslation("tools");
  const { project } = route.useParams();
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const { data: tools, error, refetch } = useQuery(allToolsQuery(project));
  const change = (next: Partial<ToolsSearch>, replace = false) =>
    navigate({ search: (known) => ({ ...known, ...next }), replace });
  const servers = [...new Set((tools ?? []).map((tool) => tool.server))].sort();
  const found = matching(tools ?? [], search);
  return (
    <Page title={t("title")} note={t("note")}>
      <search className="flex flex-wrap gap-2">
        <SearchInput
          placeholder={t("search")}
          defaultValue={search.q}
          onChange={(event) => change({ q: event.target.value || undefined }, true)}
          className="w-full sm:w-80"
        />
        <Select
          label={t("server")}
          className="w-full sm:w-48"
          value={search.server ?? ALL}
          onChange={(value) => change({ server: value === ALL ? undefined : value })}
          options={[
            { value: ALL, label: t("allServers") },
            ...servers.map((name) => ({ value: name, label: name })),
          ]}
        />
        <Select
          label={t("state")}
          className="w-full sm:w-40"
          value={search.state ?? ALL}
          onChange={(value) => change({ state: value === ALL ? undefined : (value as ToolState) })}
          options={[
            { value: ALL, label: t("states.any") },
            ...STATES.map((value) => ({ value, label: t(`states.${value}`) })),
          ]}
        />
        {tools && (
          <p role="status" className="ml-auto self-center text-muted text-sm">
            {t("count", { count: found.length })}
          </p>
        )}
      </search>
      <Card>
        {error ? (
          <div className="p-4">
            <Failure error={error} retry={refetch} />
          </div>
        ) : !tools ? (
          <SkeletonRows rows={10} />
        ) : tools.length === 0 ? (
          <NoTools project={project} />
        ) : found.length === 0 ? (
          <Empty icon={SearchX} title={t("none.title")}>
            {t("none.next")}
          </Empty>
        ) : (
          <Found
            project={project}
            tools={found}
            onOpen={(tool) => change({ tool: tool.exposed_name })}
          />
        )}
      </Card>
      <ToolDrawer
        project={project}
        name={search.tool}
        tools={tools}
        onClose={() => change({ tool: undefined })}
      />
    </Page>
  );
}

type FoundProps = { project: string; tools: readonly Tool[]; onOpen: (tool: Tool) => void };

function Found({ project, tools, onOpen }: FoundProps) {
  const { t } = useTranslation("tools");
  const columns: Column<Tool>[] = [
    {
      id: "tool",
      header: t("tool"),
      by: (tool) => tool.exposed_name,
      cell: (tool) => (
        <button type="button" onClick={() => onOpen(tool)} className="text-left hover:underline">
          <span className="block font-medium text-sm">{titleOf(tool)}</span>
          <span className="block font-mono text-muted text-xs">{tool.exposed_name}</span>
        </button>
      ),
    },
    {
      id: "description",
      header: t("what"),
      kind: "wide",
      className: "max-w-md",
      cell: (tool) => (
        <span className="line-clamp-2 text-muted text-sm">{tool.description ?? ""}</span>
      ),
    },
    {
      id: "server",
      header: t("server"),
      kind: "wide",
      by: (tool) => tool.server,
      cell: (tool) => tool.server,
    },
    {
      id: "hints",
      header: t("hints"),
      kind: "wide",
      cell: (tool) => <Hints tool={tool} />,
    },
    {
      id: "enabled",
      header: t("switch.header"),
      kind: "number",
      by: (tool) => Number(tool.enabled),
      cell: (tool) => (
        <span className="flex justify-end">
          <ToolSwitch project={project} tool={tool} />
        </span>
      ),
    },
  ];
  return (
    <DataTable
      label={t("title")}
      rows={tools}
      columns={columns}
      idOf={(tool) => tool.exposed_name}
      onOpen={onOpen}
    />
  );
}

function Hints({ tool }: { tool: Tool }) {
  const { t } = useTranslation("tools");
  const { readOnlyHint: reads, destructiveHint: destroys } = tool.annotations ?? {};
  return (
    <span className="flex flex-wrap gap-1">
      {!tool.enabled && <Badge tone="warn">{t("switchedOff")}</Badge>}
      {reads === true && <Badge tone="ok">{t("readOnly")}</Badge>}
      {destroys === true && <Badge tone="bad">{t("destructive")}</Badge>}
      {tool.outputSchema && <Badge>{t("structured")}</Badge>}
    </span>
  );
}

function matching(tools: readonly Tool[], { q = "", server, state }: ToolsSearch): Tool[] {
  const words = q.toLowerCase().split(/\s+/).filter(Boolean);
  return tools.filter((tool) => {
    if (server && tool.server !== server) return false;
    if (state && tool.enabled !== (state === "on")) return false;
    const text = `${tool.exposed_name} ${titleOf(tool)} ${tool.description ?? ""} ${tool.server}`;
    return words.every((word) => text.toLowerCase().includes(word));
  });
}
