/** Choosing a tool: all of the project by their servers, found by a few letters. */
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { Tool } from "@/api/servers";
import { cx } from "@/components/cx";
import { SearchInput } from "@/components/Field";
import { Card, SkeletonRows } from "@/components/Page";

type Props = {
  tools: readonly Tool[] | undefined;
  chosen: string | undefined;
  onChoose: (name: string) => void;
};

export function ToolPicker({ tools, chosen, onChoose }: Props) {
  const { t } = useTranslation("playground");
  const [asked, setAsked] = useState("");
  if (!tools) {
    return (
      <Card>
        <SkeletonRows />
      </Card>
    );
  }
  const fitting = tools.filter((tool) =>
    `${tool.exposed_name} ${tool.title ?? ""}`.toLowerCase().includes(asked.toLowerCase()),
  );
  const groups = Map.groupBy(fitting, (tool) => tool.server ?? "");
  return (
    <Card>
      <div className="border-b p-2">
        <SearchInput
          placeholder={t("search", { count: tools.length })}
          value={asked}
          onChange={(event) => setAsked(event.target.value)}
        />
      </div>
      <nav aria-label={t("tools")} className="max-h-52 overflow-y-auto p-2 xl:max-h-[62dvh]">
        {[...groups].map(([server, members]) => (
          <section key={server} className="mb-2 last:mb-0">
            <h2 className="px-2 py-1 font-medium text-muted text-xs">{server}</h2>
            <ul>
              {members.map((tool) => (
                <li
                  key={tool.exposed_name}
                  className="[contain-intrinsic-size:auto_32px] [content-visibility:auto]"
                >
                  <button
                    type="button"
                    aria-pressed={tool.exposed_name === chosen}
                    title={tool.exposed_name}
                    onClick={() => onChoose(tool.exposed_name)}
                    className={cx(
                      "h-8 w-full truncate rounded-md px-2 text-left font-mono text-sm focus-visible:-outline-offset-2",
                      tool.exposed_name === chosen
                        ? "bg-accent-soft font-medium text-accent"
                        : "hover:bg-hover",
                    )}
                  >
                    {shortName(tool)}
                  </button>
                </li>
              ))}
            </ul>
          </section>
        ))}
        {fitting.length === 0 && <p className="p-4 text-center text-muted">{t("nothingFits")}</p>}
      </nav>
    </Card>
  );
}

/** The name without the server's, which stands above it. */
function shortName(tool: Tool): string {
  const prefix = `${tool.server}__`;
  return tool.exposed_name.startsWith(prefix)
    ? tool.exposed_name.slice(prefix.length)
    : tool.exposed_name;
}
