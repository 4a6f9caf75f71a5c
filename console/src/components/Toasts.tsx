/** Short notices in the corner, with a way back where something was done. */
import { CircleAlert, CircleCheck, X } from "lucide-react";
import { Toast } from "radix-ui";
import { useId, useLayoutEffect, useSyncExternalStore } from "react";
import { useTranslation } from "react-i18next";
import { ApiError } from "@/api/client";
import { Button, IconButton } from "./Button";
import { useSaid } from "./Page";

type Notice = { id: number; text?: string; error?: unknown; undo?: () => void };

const LIMIT = 4;
let notices: readonly Notice[] = [];
/** Where notices can be shown: the page, and each window that is open above it, the last on top. */
let places: readonly string[] = [];
let last = 0;
const listeners = new Set<() => void>();

/** Says that something was done; `undo` takes it back. */
export function say(text: string, undo?: () => void): void {
  add({ text, undo });
}

/** Says that something failed. */
export function complain(error: unknown): void {
  add({ error });
}

function add(notice: Omit<Notice, "id">): void {
  last += 1;
  set([...notices, { ...notice, id: last }].slice(-LIMIT));
}

function set(next: readonly Notice[]): void {
  notices = next;
  tell();
}

function tell(): void {
  for (const listener of listeners) listener();
}

/** Makes this the place of the notices, and returns how to leave it. */
function enter(place: string): () => void {
  places = [...places, place];
  tell();
  return () => {
    places = places.filter((each) => each !== place);
    tell();
  };
}

function remove(id: number): void {
  set(notices.filter((each) => each.id !== id));
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/**
 * The notices, in the page and in every window: they show in the uppermost. Whatever lies beneath a
 * modal window can be reached neither by pointer nor by keyboard.
 */
export function Toasts() {
  const { t } = useTranslation("common");
  const place = useId();
  const shown = useSyncExternalStore(subscribe, () => notices);
  const isUppermost = useSyncExternalStore(subscribe, () => places.at(-1) === place);
  useLayoutEffect(() => enter(place), [place]);
  if (!isUppermost) return null;
  return (
    <Toast.Provider swipeDirection="right" label={t("notice")}>
      {shown.map((notice) => (
        <OneToast key={notice.id} notice={notice} />
      ))}
      <Toast.Viewport
        label={t("notices")}
        className="fixed right-0 bottom-0 z-70 flex w-full max-w-md flex-col gap-2 p-4 outline-none max-sm:pb-[max(1rem,env(safe-area-inset-bottom))]"
      />
    </Toast.Provider>
  );
}

function OneToast({ notice }: { notice: Notice }) {
  const { t } = useTranslation("common");
  const said = useSaid(notice.error);
  const isBad = notice.error !== undefined;
  const Icon = isBad ? CircleAlert : CircleCheck;
  return (
    <Toast.Root
      duration={isBad || notice.undo ? 9000 : 4000}
      onOpenChange={(open) => open || remove(notice.id)}
      className="flex animate-rise items-start gap-2.5 rounded-lg border bg-surface py-2.5 pr-2 pl-3.5 shadow-float"
    >
      <Icon
        aria-hidden
        className={isBad ? "mt-0.5 size-4 shrink-0 text-bad" : "mt-0.5 size-4 shrink-0 text-ok"}
      />
      <div className="min-w-0 flex-1">
        <Toast.Description className="whitespace-pre-line text-base">
          {isBad ? said : notice.text}
        </Toast.Description>
        {notice.error instanceof ApiError && notice.error.requestId && (
          <p className="text-muted text-xs">
            {t("requestId")} <code className="font-mono">{notice.error.requestId}</code>
          </p>
        )}
      </div>
      {notice.undo && (
        <Toast.Action asChild altText={t("undo")}>
          <Button size="sm" onClick={notice.undo}>
            {t("undo")}
          </Button>
        </Toast.Action>
      )}
      <Toast.Close asChild>
        <IconButton label={t("close")} size="sm">
          <X aria-hidden className="size-3.5" />
        </IconButton>
      </Toast.Close>
    </Toast.Root>
  );
}
