/** What every page is made of: its head, sections, and what it shows while it has nothing. */
import { CircleAlert, type LucideIcon, RotateCw } from "lucide-react";
import { type ReactNode, useEffect } from "react";
import { useTranslation } from "react-i18next";
import { ApiError, Unreachable } from "@/api/client";
import { Button } from "./Button";
import { cx } from "./cx";

type PageProps = {
  title: string;
  note?: ReactNode;
  actions?: ReactNode;
  above?: ReactNode;
  children: ReactNode;
};

export function Page({ title, note, actions, above, children }: PageProps) {
  useEffect(() => {
    document.title = `${title} · Interlock`;
  }, [title]);
  return (
    <div className="mx-auto flex w-full max-w-7xl flex-col gap-5 px-4 py-5 sm:px-6 lg:px-8">
      <div className="flex flex-col gap-1">
        {above}
        <div className="flex flex-wrap items-start justify-between gap-x-4 gap-y-3">
          <div className="min-w-0">
            <h1 className="font-semibold text-xl tracking-tight">{title}</h1>
            {note && <div className="mt-0.5 max-w-2xl text-muted text-sm">{note}</div>}
          </div>
          {actions && <div className="flex flex-wrap items-center gap-2">{actions}</div>}
        </div>
      </div>
      {children}
    </div>
  );
}

type CardProps = {
  title?: ReactNode;
  actions?: ReactNode;
  className?: string;
  children: ReactNode;
};

export function Card({ title, actions, className, children }: CardProps) {
  return (
    <section
      className={cx(
        "min-w-0 overflow-hidden rounded-lg border bg-surface shadow-raised",
        className,
      )}
    >
      {(title || actions) && (
        <div className="flex min-h-11 items-center justify-between gap-3 border-b px-4 py-1.5">
          <h2 className="font-semibold text-base">{title}</h2>
          {actions}
        </div>
      )}
      {children}
    </section>
  );
}

/** Stands where content will be, in its size, so that nothing jumps. */
export function Skeleton({ className }: { className?: string }) {
  return (
    <div aria-hidden data-skeleton className={cx("animate-pulse rounded-md bg-hover", className)} />
  );
}

export function SkeletonRows({ rows = 6 }: { rows?: number }) {
  const { t } = useTranslation("common");
  return (
    <div role="status" aria-label={t("loading")} className="flex flex-col">
      {Array.from({ length: rows }, (_, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: they are all alike.
        <div key={index} className="flex h-11 items-center gap-6 border-b px-4 last:border-0">
          <Skeleton className="h-3.5 w-40" />
          <Skeleton className="h-3.5 w-24 max-sm:hidden" />
          <Skeleton className="ml-auto h-3.5 w-16" />
        </div>
      ))}
    </div>
  );
}

type EmptyProps = { icon: LucideIcon; title: string; children?: ReactNode; actions?: ReactNode };

/** Says that there is nothing yet, and what to do next. */
export function Empty({ icon: Icon, title, children, actions }: EmptyProps) {
  return (
    <div className="flex flex-col items-center gap-1.5 px-6 py-14 text-center">
      <div className="mb-2 grid size-11 place-items-center rounded-lg bg-accent-soft text-accent">
        <Icon aria-hidden className="size-5" />
      </div>
      <p className="font-semibold text-lg">{title}</p>
      {children && <div className="max-w-md text-base text-muted">{children}</div>}
      {actions && <div className="mt-3 flex flex-wrap justify-center gap-2">{actions}</div>}
    </div>
  );
}

/** Says what failed, with the id that finds it in the log. */
export function Failure({ error, retry }: { error: unknown; retry?: () => void }) {
  const { t } = useTranslation("common");
  return (
    <div role="alert" className="flex gap-3 rounded-lg border border-bad/40 bg-bad-soft p-3.5">
      <CircleAlert aria-hidden className="mt-0.5 size-4 shrink-0 text-bad" />
      <div className="min-w-0 flex-1 text-base">
        <p className="whitespace-pre-line">{useSaid(error)}</p>
        {error instanceof ApiError && error.requestId && (
          <p className="mt-1 text-muted text-xs">
            {t("requestId")} <code className="font-mono">{error.requestId}</code>
          </p>
        )}
      </div>
      {retry && (
        <Button size="sm" onClick={retry}>
          <RotateCw aria-hidden className="size-3.5" />
          {t("retry")}
        </Button>
      )}
    </div>
  );
}

/** What an error says to people. */
export function useSaid(error: unknown): string {
  const { t } = useTranslation("common");
  if (error instanceof ApiError) return error.message;
  if (error instanceof Unreachable) return t("unreachable");
  return error instanceof Error ? error.message : String(error);
}
