/** The tools to choose from, by server and by letters. */
import { useVirtualizer } from "@tanstack/react-virtual";
import { useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import type { Tool } from "@/api/servers";
import { cx } from "@/components/cx";
import { SearchInput, Select } from "@/components/Field";

const ROW = 44;
const ALL = "*";

type Props = {
  tools: readonly Tool[];
  server: string | undefined;
  onServer: (server: string | undefined) => void;
  chosen: string | undefined;
  onChoose: (tool: Tool) => void;
  className?: string;
};

export function ToolList({ tools, server, onServer, chosen, onChoose, className }: Props) {
  const { t } = useTranslation("playground");
  const [asked, setAsked] = useState("");
  const scroller = useRef<HTMLDivElement>(null);
  const servers = [...new Set(tools.flatMap((tool) => tool.server ?? []))].sort();
  const found = matching(tools, server, asked);
  const virtual = useVirtualizer({
    count: found.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW,
    overscan: 10,
  });
  return (
    <div className={cx("flex min-h-0 flex-col", className)}>
      <div className="flex flex-col gap-2 border-b p-3">
        <Select
          label={t("server")}
          value={server ?? ALL}
          onChange={(value) => onServer(value === ALL ? undefined : value)}
          options={[
            { value: ALL, label: t("allServers") },
            ...servers.map((name) => ({ value: name, label: name })),
          ]}
        />
        <SearchInput
          placeholder={t("searchTools")}
          value={asked}
          onChange={(event) => setAsked(event.target.value)}
        />
      </div>
      <section
        ref={scroller}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard.
        tabIndex={0}
        aria-label={t("tools")}
        className="min-h-0 flex-1 overflow-y-auto p-1.5"
      >
        {found.length === 0 && <p className="p-3 text-muted text-sm">{t("noneFound")}</p>}
        <ul className="relative" style={{ height: virtual.getTotalSize() }}>
          {virtual.getVirtualItems().map((row) => {
            const tool = found[row.index] as Tool;
            return (
              <li
                key={tool.exposed_name}
                className="absolute inset-x-0"
                style={{ top: row.start, height: ROW }}
              >
                <button
                  type="button"
                  aria-pressed={tool.exposed_name === chosen}
                  onClick={() => onChoose(tool)}
                  className="flex size-full flex-col justify-center rounded-md px-2.5 text-left hover:bg-hover aria-pressed:bg-accent-soft aria-pressed:text-accent"
                >
                  <span className="w-full truncate font-medium text-sm">{titleOf(tool)}</span>
                  <span className="w-full truncate font-mono text-muted text-xs">
                    {tool.exposed_name}
                  </span>
                </button>
              </li>
            );
          })}
        </ul>
      </section>
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

function matching(tools: readonly Tool[], server: string | undefined, asked: string): Tool[] {
  const words = asked.toLowerCase().split(/\s+/).filter(Boolean);
  return tools.filter((tool) => {
    const text = `${tool.exposed_name} ${titleOf(tool)} ${tool.description ?? ""}`.toLowerCase();
    return (!server || tool.server === server) && words.every((word) => text.includes(word));
  });
}
