/** One tool: what it says of itself, what it takes and returns, and its other names. */
import { Link } from "@tanstack/react-router";
import { ScrollText, SquareTerminal } from "lucide-react";
import { useTranslation } from "react-i18next";
import type { Tool } from "@/api/servers";
import { Badge } from "@/components/Badge";
import { Button, buttonStyle } from "@/components/Button";
import { CopyButton } from "@/components/Copy";
import { Drawer } from "@/components/Dialog";
import { Skeleton } from "@/components/Page";
import { SchemaView } from "@/components/schema/SchemaView";
import type { Schema } from "@/components/schema/schema";
import { ToolSwitch } from "@/components/ToolSwitch";
import { Alias } from "./Alias";

type Props = {
  project: string;
  name: string | undefined;
  tools: readonly Tool[] | undefined;
  onClose: () => void;
};

export function ToolDrawer({ project, name, tools, onClose }: Props) {
  const { t } = useTranslation("tools");
  const tool = tools?.find((each) => each.exposed_name === name);
  return (
    <Drawer
      isOpen={name !== undefined}
      onClose={onClose}
      title={tool ? titleOf(tool) : (name ?? "")}
      note={tool?.server && t("of", { server: tool.server })}
      footer={
        tool && (
          <>
            <Link
              to="/p/$project/records"
              params={{ project }}
              search={{ tool: tool.exposed_name }}
              className={buttonStyle({})}
            >
              <ScrollText aria-hidden className="size-4" />
              {t("records")}
            </Link>
            {tool.enabled ? (
              <Link
                to="/p/$project/playground"
                params={{ project }}
                search={{ tool: tool.exposed_name }}
                className={buttonStyle({ kind: "primary" })}
              >
                <SquareTerminal aria-hidden className="size-4" />
                {t("tryIt")}
              </Link>
            ) : (
              <Button kind="primary" barred={t("switch.isOff")}>
                <SquareTerminal aria-hidden className="size-4" />
                {t("tryIt")}
              </Button>
            )}
          </>
        )
      }
    >
      {tool ? (
        <Whole project={project} tool={tool} onRenamed={onClose} />
      ) : tools ? (
        <p className="text-muted">{t("gone")}</p>
      ) : (
        <Skeleton className="h-64" />
      )}
    </Drawer>
  );
}

const ANNOTATIONS = ["readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"] as const;

type WholeProps = { project: string; tool: Tool; onRenamed: () => void };

function Whole({ project, tool, onRenamed }: WholeProps) {
  const { t } = useTranslation("tools");
  const told = ANNOTATIONS.filter((name) => typeof tool.annotations?.[name] === "boolean");
  return (
    <div className="flex flex-col gap-6">
      <div>
        <p className="flex items-center gap-1">
          <code className="min-w-0 break-all font-mono text-sm">{tool.exposed_name}</code>
          <CopyButton text={tool.exposed_name} />
          <span className="ml-auto pl-3">
            <ToolSwitch project={project} tool={tool} />
          </span>
        </p>
        {!tool.enabled && <p className="text-muted text-sm">{t("switch.isOff")}</p>}
        {tool.description && <p className="mt-1 whitespace-pre-line">{tool.description}</p>}
        {told.length > 0 && (
          <p className="mt-3 flex flex-wrap gap-1.5">
            {told.map((name) => (
              <Badge key={name} tone={tool.annotations?.[name] === true ? "accent" : "neutral"}>
                {tool.annotations?.[name] === true ? t(`yes.${name}`) : t(`no.${name}`)}
              </Badge>
            ))}
          </p>
        )}
      </div>
      <section>
        <h3 className="mb-2 font-semibold text-sm">{t("input")}</h3>
        <SchemaView schema={(tool.inputSchema ?? {}) as Schema} label={t("input")} />
      </section>
      <section>
        <h3 className="mb-2 font-semibold text-sm">{t("output")}</h3>
        {tool.outputSchema ? (
          <SchemaView schema={tool.outputSchema as Schema} label={t("output")} />
        ) : (
          <p className="text-muted text-sm">{t("noOutput")}</p>
        )}
      </section>
      <Alias key={tool.exposed_name} project={project} tool={tool} onRenamed={onRenamed} />
    </div>
  );
}

/** What people call a tool. */
export function titleOf(tool: Tool): string {
  const annotated = tool.annotations?.title;
  if (tool.title ?? annotated) return String(tool.title ?? annotated);
  // Its own name, without that of the server which stands beneath.
  return tool.name.replace(`${tool.server}__`, "");
}
