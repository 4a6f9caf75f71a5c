/** How a call stands, as an icon and a word. */
import { Ban, CircleCheck, CircleX, LoaderCircle, TriangleAlert } from "lucide-react";
import { useTranslation } from "react-i18next";
import { cx } from "@/components/cx";
import type { RunState } from "./runs";

const STATES: Record<RunState, { icon: typeof CircleCheck; color: string }> = {
  running: { icon: LoaderCircle, color: "text-accent" },
  done: { icon: CircleCheck, color: "text-ok" },
  tool_error: { icon: TriangleAlert, color: "text-warn" },
  failed: { icon: CircleX, color: "text-bad" },
  cancelled: { icon: Ban, color: "text-muted" },
};

export function StateMark({ state, isAsking }: { state: RunState; isAsking?: boolean }) {
  const { t } = useTranslation("playground");
  const { icon: Icon, color } = STATES[state];
  return (
    <span
      data-state={state}
      className={cx(
        "inline-flex items-center gap-1.5 whitespace-nowrap font-medium text-sm",
        color,
      )}
    >
      <Icon
        aria-hidden
        className={cx("size-4", state === "running" && !isAsking && "animate-spin")}
      />
      {isAsking ? t("asking") : t(`states.${state}`)}
    </span>
  );
}
