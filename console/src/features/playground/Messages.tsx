/** The messages of a call as they went over the wire. */
import { useTranslation } from "react-i18next";
import { Badge } from "@/components/Badge";
import { Code } from "@/components/Copy";
import { useFormats } from "@/components/format";
import type { Wire } from "./runs";

export function Messages({ wire }: { wire: readonly Wire[] }) {
  const { t } = useTranslation("playground");
  const { clock } = useFormats();
  if (wire.length === 0) return <p className="text-muted text-sm">{t("noMessages")}</p>;
  return (
    <ol className="flex flex-col gap-2">
      {wire.map((each, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: messages only ever come after others.
        <li key={index}>
          <details className="rounded-md border" open={wire.length <= 4}>
            <summary className="flex items-center gap-2 px-3 py-1.5 text-xs">
              <Badge tone={each.direction === "sent" ? "accent" : "neutral"}>
                {t(`directions.${each.direction}`)}
              </Badge>
              <code className="min-w-0 flex-1 truncate font-mono">{titleOf(each.message)}</code>
              <time className="text-muted">{clock(new Date(each.at))}</time>
            </summary>
            <Code
              text={JSON.stringify(each.message, null, 2)}
              label={titleOf(each.message)}
              className="rounded-none border-0 border-t"
            />
          </details>
        </li>
      ))}
    </ol>
  );
}

function titleOf(message: unknown): string {
  const { method, id, error } = (message ?? {}) as {
    method?: string;
    id?: unknown;
    error?: unknown;
  };
  const name = method ?? (error ? "error" : "result");
  return id === undefined ? name : `${name} #${String(id)}`;
}
