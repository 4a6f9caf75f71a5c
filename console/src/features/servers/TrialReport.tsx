/** What the test of a connection found. */
import { CircleAlert, CircleCheck } from "lucide-react";
import { useTranslation } from "react-i18next";
import type { Schemas } from "@/api/client";
import { Badge } from "@/components/Badge";
import { Facts } from "@/components/Facts";
import { useFormats } from "@/components/format";

export function TrialReport({ trial }: { trial: Schemas["TrialView"] }) {
  const { t } = useTranslation("servers");
  const { duration } = useFormats();
  if (!trial.ok) {
    return (
      <div role="alert" className="flex gap-3 rounded-lg border border-bad/40 bg-bad-soft p-3.5">
        <CircleAlert aria-hidden className="mt-0.5 size-4 shrink-0 text-bad" />
        <div>
          <p className="font-medium">{t("trial.failed")}</p>
          <p className="whitespace-pre-line text-sm">{trial.error}</p>
        </div>
      </div>
    );
  }
  const info = trial.server_info ?? {};
  return (
    <div role="status" className="rounded-lg border border-ok/40 bg-ok-soft p-3.5">
      <p className="mb-3 flex items-center gap-2 font-medium">
        <CircleCheck aria-hidden className="size-4 text-ok" />
        {t("trial.works", { time: duration(trial.latency_ms) })}
      </p>
      <Facts
        facts={[
          [t("trial.server"), [info.title ?? info.name, info.version].filter(Boolean).join(" ")],
          [t("trial.protocol"), trial.protocol_version],
          [t("era"), trial.era && t(`eras.${trial.era}`)],
          [t("tools"), trial.tool_count],
        ]}
      />
      <ul className="mt-3 flex flex-wrap gap-1">
        {(trial.tools ?? []).map((tool) => (
          <li key={tool}>
            <Badge className="bg-surface font-mono">{tool}</Badge>
          </li>
        ))}
      </ul>
    </div>
  );
}
