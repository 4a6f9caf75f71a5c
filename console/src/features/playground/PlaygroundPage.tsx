/** Call a tool by hand, and see all that happens: the invoke tester of a project. */
import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { ListTree, RotateCw, SquareTerminal, Wrench } from "lucide-react";
import { useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import { type Tool, toolsQuery } from "@/api/servers";
import { Button } from "@/components/Button";
import { Dialog } from "@/components/Dialog";
import { NoTools } from "@/components/NoTools";
import { Card, Empty, Failure, Page, SkeletonRows } from "@/components/Page";
import { Arguments } from "./Arguments";
import type { Era, Json, Place } from "./client/protocol";
import { Outcome } from "./Outcome";
import { Recent } from "./Recent";
import { begin, type Run, useRuns } from "./runs";
import type { PlaygroundSearch, Show } from "./search";
import { ToolList } from "./ToolList";

const route = getRouteApi("/inside/p/$project/playground");

export function PlaygroundPage() {
  const { t } = useTranslation("playground");
  const { project } = route.useParams();
  const { data: tools, error, refetch } = useQuery(toolsQuery(project));
  return (
    <Page title={t("title")} note={t("note")}>
      {error ? (
        <Failure error={error} retry={refetch} />
      ) : !tools ? (
        <Card>
          <SkeletonRows rows={10} />
        </Card>
      ) : tools.length === 0 ? (
        <Card>
          <NoTools project={project} />
        </Card>
      ) : (
        <Bench project={project} tools={tools} />
      )}
    </Page>
  );
}

function Bench({ project, tools }: { project: string; tools: readonly Tool[] }) {
  const { t } = useTranslation("playground");
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const runs = useRuns(project);
  const [isChoosing, setChoosing] = useState(false);
  const [apiKey, setKey] = useState<string>();
  const [again, setAgain] = useState<{ turn: number; values: Json }>();
  const change = (next: Partial<PlaygroundSearch>, replace = false) =>
    navigate({ search: (known) => ({ ...known, ...next }), replace });

  const run = runs.find((each) => each.id === search.run);
  const named = search.tool ?? run?.tool;
  const tool = named === undefined ? tools[0] : tools.find((each) => each.exposed_name === named);
  const era: Era = search.era ?? "modern";
  const place = usePlace(project, era, apiKey ?? "");

  const choose = (chosen: Tool) => {
    setChoosing(false);
    setAgain(undefined);
    change({ tool: chosen.exposed_name, run: undefined, show: undefined });
  };
  const start = (chosen: Tool, values: Json) => {
    const id = begin(place, chosen, values);
    change({ tool: chosen.exposed_name, run: id, show: undefined }, search.run !== undefined);
  };
  const replay = (old: Run) => {
    const found = tools.find((each) => each.exposed_name === old.tool);
    if (!found) return;
    setAgain({ turn: (again?.turn ?? 0) + 1, values: old.arguments });
    start(found, old.arguments);
  };
  const list = (
    <ToolList
      tools={tools}
      server={search.server}
      onServer={(server) => change({ server }, true)}
      chosen={tool?.exposed_name}
      onChoose={choose}
      className="h-full"
    />
  );
  return (
    <>
      <div className="xl:hidden">
        <Button size="lg" className="w-full" onClick={() => setChoosing(true)}>
          <ListTree aria-hidden className="size-4" />
          <span className="truncate">{tool ? tool.exposed_name : t("chooseTool")}</span>
        </Button>
        <Dialog isOpen={isChoosing} onClose={() => setChoosing(false)} title={t("chooseTool")}>
          <div className="-mx-5 -my-4 h-[70dvh]">{list}</div>
        </Dialog>
      </div>
      <div className="grid gap-5 lg:grid-cols-2 xl:grid-cols-[15rem_minmax(0,1fr)_minmax(0,1.15fr)]">
        <Card className="sticky top-5 h-[calc(100dvh-9rem)] min-h-80 self-start max-xl:hidden">
          {list}
        </Card>
        <Card className="self-start">
          {tool ? (
            <Arguments
              key={`${tool.exposed_name} ${again?.turn ?? 0}`}
              project={project}
              tool={tool}
              begun={again?.values ?? (run?.tool === tool.exposed_name ? run.arguments : undefined)}
              isJson={search.as === "json"}
              onJson={(isJson) => change({ as: isJson ? "json" : undefined }, true)}
              era={era}
              onEra={(next) => change({ era: next === "legacy" ? next : undefined }, true)}
              apiKey={apiKey}
              onKey={setKey}
              onRun={(values) => start(tool, values)}
            />
          ) : (
            <Empty icon={Wrench} title={t("gone.title", { tool: named })}>
              {t("gone.next")}
            </Empty>
          )}
        </Card>
        <Card
          className="self-start"
          title={t("outcome")}
          actions={
            run && (
              <Button
                size="sm"
                onClick={() => replay(run)}
                barred={run.state === "running" && t("stillRunning")}
              >
                <RotateCw aria-hidden className="size-3.5" />
                {t("replay")}
              </Button>
            )
          }
        >
          {run ? (
            <Outcome
              run={run}
              tool={tools.find((each) => each.exposed_name === run.tool)}
              place={place}
              show={search.show ?? "result"}
              onShow={(show: Show) => change({ show: show === "result" ? undefined : show }, true)}
            />
          ) : (
            <Empty icon={SquareTerminal} title={t("noRun.title")}>
              {t("noRun.next")}
            </Empty>
          )}
        </Card>
      </div>
      <Recent
        project={project}
        runs={runs}
        onReplay={replay}
        onOpen={(old) => {
          setAgain((known) => ({ turn: (known?.turn ?? 0) + 1, values: old.arguments }));
          change({ run: old.id, tool: old.tool, era: old.era === "legacy" ? "legacy" : undefined });
        }}
      />
    </>
  );
}

/** The endpoint as one object for as long as it is the same. */
function usePlace(project: string, era: Era, key: string): Place {
  return useMemo(() => ({ project, era, key }), [project, era, key]);
}
