/** The frame around every page behind the login: navigation, project, palette, account. */
import { Outlet, useRouterState } from "@tanstack/react-router";
import { Menu as MenuIcon, Search, X } from "lucide-react";
import { Dialog as RadixDialog } from "radix-ui";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { IconButton } from "@/components/Button";
import { Toasts } from "@/components/Toasts";
import { AccountMenu } from "./AccountMenu";
import { Brand } from "./Brand";
import { useLive } from "./live";
import { Navigation } from "./Navigation";
import { Palette } from "./Palette";
import { useProject } from "./project";

export function Shell() {
  const { t } = useTranslation("shell");
  const [isPaletteOpen, setPaletteOpen] = useState(false);
  useLive(useProject());
  useEffect(() => {
    const listen = (event: KeyboardEvent) => {
      if (event.key.toLowerCase() !== "k" || !(event.metaKey || event.ctrlKey)) return;
      event.preventDefault();
      setPaletteOpen((open) => !open);
    };
    window.addEventListener("keydown", listen);
    return () => window.removeEventListener("keydown", listen);
  }, []);
  return (
    <div className="min-h-dvh lg:pl-60">
      <a
        href="#content"
        className="-top-12 absolute left-3 z-60 rounded-md bg-accent px-3 py-1.5 text-on-accent text-sm focus:top-2"
      >
        {t("skip")}
      </a>
      <aside className="fixed inset-y-0 left-0 z-30 hidden w-60 flex-col border-r bg-surface lg:flex">
        <Sidebar onSearch={() => setPaletteOpen(true)} />
      </aside>
      <header className="sticky top-0 z-30 flex h-13 items-center gap-1 border-b bg-surface/95 px-2 backdrop-blur lg:hidden">
        <MobileNavigation onSearch={() => setPaletteOpen(true)} />
        <Brand />
        <IconButton label={t("search")} className="ml-auto" onClick={() => setPaletteOpen(true)}>
          <Search aria-hidden className="size-4.5" />
        </IconButton>
      </header>
      <main id="content" tabIndex={-1} className="min-w-0 outline-none">
        <Outlet />
      </main>
      <Palette isOpen={isPaletteOpen} onClose={() => setPaletteOpen(false)} />
    </div>
  );
}

function Sidebar({ onSearch }: { onSearch: () => void }) {
  const { t } = useTranslation("shell");
  const isApple = navigator.userAgent.includes("Mac");
  return (
    <>
      <div className="flex h-14 items-center px-4 max-lg:hidden">
        <Brand />
      </div>
      <div className="px-3 pb-2 max-lg:hidden">
        <button
          type="button"
          onClick={onSearch}
          className="flex h-8 w-full items-center gap-2 rounded-md border bg-page px-2.5 text-muted text-sm hover:bg-hover"
        >
          <Search aria-hidden className="size-4" />
          {t("search")}
          <kbd className="ml-auto font-sans text-xs">{isApple ? "⌘K" : "Ctrl K"}</kbd>
        </button>
      </div>
      <Navigation />
      <AccountMenu />
    </>
  );
}

function MobileNavigation({ onSearch }: { onSearch: () => void }) {
  const { t } = useTranslation("shell");
  const [isOpen, setOpen] = useState(false);
  const path = useRouterState({ select: (state) => state.location.pathname });
  // biome-ignore lint/correctness/useExhaustiveDependencies: another page closes it.
  useEffect(() => setOpen(false), [path]);
  return (
    <RadixDialog.Root open={isOpen} onOpenChange={setOpen}>
      <RadixDialog.Trigger asChild>
        <IconButton label={t("menu")}>
          <MenuIcon aria-hidden className="size-5" />
        </IconButton>
      </RadixDialog.Trigger>
      <RadixDialog.Portal>
        <RadixDialog.Overlay className="fixed inset-0 z-40 animate-fade bg-[oklch(0.15_0.02_262/0.45)]" />
        <RadixDialog.Content
          aria-describedby={undefined}
          className="fixed inset-y-0 left-0 z-50 flex w-72 max-w-[85vw] animate-slide-left flex-col border-r bg-surface shadow-float"
        >
          <div className="flex h-13 items-center justify-between pr-2 pl-4">
            <RadixDialog.Title asChild>
              <span>
                <Brand />
              </span>
            </RadixDialog.Title>
            <RadixDialog.Close asChild>
              <IconButton label={t("closeMenu")}>
                <X aria-hidden className="size-4.5" />
              </IconButton>
            </RadixDialog.Close>
          </div>
          <Sidebar onSearch={onSearch} />
          <Toasts />
        </RadixDialog.Content>
      </RadixDialog.Portal>
    </RadixDialog.Root>
  );
}
