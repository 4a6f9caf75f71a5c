/** Windows above the page: dialogs in the middle, drawers at the side, and questions before harm. */

import { X } from "lucide-react";
import { AlertDialog, Dialog as RadixDialog } from "radix-ui";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { Button, IconButton } from "./Button";
import { cx } from "./cx";
import { Toasts } from "./Toasts";

const veil = "fixed inset-0 z-40 animate-fade bg-[oklch(0.15_0.02_262/0.45)]";

type WindowProps = {
  isOpen: boolean;
  onClose: () => void;
  title: ReactNode;
  note?: ReactNode;
  children: ReactNode;
  footer?: ReactNode;
  size?: "sm" | "md" | "lg" | "xl";
};

const widths = { sm: "max-w-md", md: "max-w-xl", lg: "max-w-3xl", xl: "max-w-5xl" };

/** A window in the middle of the page; on a phone it comes up from the bottom. */
export function Dialog(props: WindowProps) {
  return (
    <Pane
      place="inset-x-0 bottom-0 mx-auto max-h-[92dvh] animate-rise rounded-t-lg border sm:top-[6dvh] sm:bottom-auto sm:max-h-[88dvh] sm:w-[calc(100%-2rem)] sm:rounded-lg"
      {...props}
    />
  );
}

/** A window at the right edge of the page. */
export function Drawer(props: WindowProps) {
  return <Pane place="inset-y-0 right-0 animate-slide border-l" {...props} />;
}

function Pane({ place, isOpen, onClose, size = "md", ...rest }: WindowProps & { place: string }) {
  return (
    <RadixDialog.Root open={isOpen} onOpenChange={(open) => open || onClose()}>
      <RadixDialog.Portal>
        <RadixDialog.Overlay className={veil} />
        <RadixDialog.Content
          onOpenAutoFocus={focusInside}
          {...(rest.note ? {} : { "aria-describedby": undefined })}
          className={cx(
            "fixed z-50 flex w-full flex-col bg-surface shadow-float outline-none",
            place,
            widths[size],
          )}
        >
          <Content {...rest} />
          <Toasts />
        </RadixDialog.Content>
      </RadixDialog.Portal>
    </RadixDialog.Root>
  );
}

/** Puts the focus on the window itself, unless a field of it has taken it: not on "Close". */
function focusInside(event: Event): void {
  event.preventDefault();
  const opened = event.currentTarget as HTMLElement;
  if (!opened.contains(document.activeElement)) opened.focus();
}

function Content({ title, note, children, footer }: Omit<WindowProps, "isOpen" | "onClose">) {
  const { t } = useTranslation("common");
  return (
    <>
      <header className="flex items-start justify-between gap-4 border-b px-5 py-3.5">
        <div className="min-w-0">
          <RadixDialog.Title className="font-semibold text-lg">{title}</RadixDialog.Title>
          {note && (
            <RadixDialog.Description className="mt-0.5 text-muted text-sm">
              {note}
            </RadixDialog.Description>
          )}
        </div>
        <RadixDialog.Close asChild>
          <IconButton label={t("close")} className="-mr-1.5">
            <X aria-hidden className="size-4" />
          </IconButton>
        </RadixDialog.Close>
      </header>
      <div className="min-h-0 flex-1 overflow-y-auto px-5 py-4">{children}</div>
      {footer && (
        <footer className="flex flex-wrap items-center justify-end gap-2 border-t px-5 py-3 max-sm:pb-[max(0.75rem,env(safe-area-inset-bottom))]">
          {footer}
        </footer>
      )}
    </>
  );
}

type ConfirmProps = {
  isOpen: boolean;
  onClose: () => void;
  onConfirm: () => void;
  title: string;
  /** What is destroyed, by name. */
  children: ReactNode;
  action: string;
  busy?: boolean;
};

/** Asks before something is destroyed, and names it. */
export function Confirm({
  isOpen,
  onClose,
  onConfirm,
  title,
  children,
  action,
  busy,
}: ConfirmProps) {
  const { t } = useTranslation("common");
  return (
    <AlertDialog.Root open={isOpen} onOpenChange={(open) => open || onClose()}>
      <AlertDialog.Portal>
        <AlertDialog.Overlay className={veil} />
        <AlertDialog.Content className="fixed inset-x-4 top-[20dvh] z-50 mx-auto max-w-md animate-rise rounded-lg border bg-surface p-5 shadow-float">
          <AlertDialog.Title className="font-semibold text-lg">{title}</AlertDialog.Title>
          <AlertDialog.Description asChild>
            <div className="mt-1.5 text-base text-muted">{children}</div>
          </AlertDialog.Description>
          <div className="mt-5 flex justify-end gap-2">
            <AlertDialog.Cancel asChild>
              <Button>{t("cancel")}</Button>
            </AlertDialog.Cancel>
            <Button kind="danger" busy={busy} onClick={onConfirm}>
              {action}
            </Button>
          </div>
          <Toasts />
        </AlertDialog.Content>
      </AlertDialog.Portal>
    </AlertDialog.Root>
  );
}
