/** Small marks: a word on a tint, and the state of a server. */
import { cva, type VariantProps } from "class-variance-authority";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { cx } from "./cx";

const badge = cva(
  "inline-flex items-center gap-1 whitespace-nowrap rounded-sm px-1.5 py-px font-medium text-xs",
  {
    variants: {
      tone: {
        neutral: "bg-hover text-muted",
        accent: "bg-accent-soft text-accent",
        ok: "bg-ok-soft text-ok",
        warn: "bg-warn-soft text-warn",
        bad: "bg-bad-soft text-bad",
      },
    },
    defaultVariants: { tone: "neutral" },
  },
);

export type Tone = NonNullable<VariantProps<typeof badge>["tone"]>;

export function Badge({
  tone,
  className,
  children,
}: {
  tone?: Tone;
  className?: string;
  children: ReactNode;
}) {
  return <span className={cx(badge({ tone }), className)}>{children}</span>;
}

export type Status = "ok" | "starting" | "stale" | "failed" | "disabled";

export const STATUS_TONES: Record<Status, Tone> = {
  ok: "ok",
  starting: "accent",
  stale: "warn",
  failed: "bad",
  disabled: "neutral",
};

const dots: Record<Tone, string> = {
  neutral: "bg-line-strong",
  accent: "bg-accent animate-pulse",
  ok: "bg-ok",
  warn: "bg-warn",
  bad: "bg-bad",
};

/** How a server is, as a dot and a word. */
export function StatusMark({ status }: { status: Status }) {
  const { t } = useTranslation("common");
  return (
    <span className="inline-flex items-center gap-2 whitespace-nowrap text-sm" data-status={status}>
      <span aria-hidden className={cx("size-2 rounded-full", dots[STATUS_TONES[status]])} />
      {t(`status.${status}`)}
    </span>
  );
}
