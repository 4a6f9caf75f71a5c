/** The palette: go anywhere, open any server or tool, by a few letters. */
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import {
  CornerDownLeft,
  FolderKanban,
  type LucideIcon,
  Moon,
  Search,
  Server,
  Wrench,
} from "lucide-react";
import { Dialog as RadixDialog } from "radix-ui";
import { type KeyboardEvent, useEffect, useId, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { projectsQuery } from "@/api/projects";
import { serversQuery, toolsQuery } from "@/api/servers";
import { cx } from "@/components/cx";
import { Toasts } from "@/components/Toasts";
import { chooseTheme, useTheme } from "@/components/theme";
import { COMMON_PLACES, PROJECT_PLACES } from "./places";
import { useProject } from "./project";

type Command = { id: string; label: string; kind: string; icon: LucideIcon; run: () => void };
const LIMIT = 60;

type Props = { isOpen: boolean; onClose: () => void };

export function Palette({ isOpen, onClose }: Props) {
  const { t } = useTranslation("shell");
  return (
    <RadixDialog.Root open={isOpen} onOpenChange={(open) => open || onClose()}>
      <RadixDialog.Portal>
        <RadixDialog.Overlay className="fixed inset-0 z-50 animate-fade bg-[oklch(0.15_0.02_262/0.45)]" />
        <RadixDialog.Content
          aria-describedby={undefined}
          className="fixed inset-x-3 top-[10dvh] z-50 mx-auto max-w-xl animate-rise overflow-hidden rounded-lg border bg-surface shadow-float"
        >
          <RadixDialog.Title className="sr-only">{t("palette")}</RadixDialog.Title>
          <Commands onClose={onClose} />
          <Toasts />
        </RadixDialog.Content>
      </RadixDialog.Portal>
    </RadixDialog.Root>
  );
}

function Commands({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation("shell");
  const [asked, setAsked] = useState("");
  const [marked, setMarked] = useState(0);
  const list = useId();
  const box = useRef<HTMLDivElement>(null);
  const found = matching(useCommands(), asked).slice(0, LIMIT);
  const run = (command: Command) => {
    onClose();
    command.run();
  };
  useEffect(() => {
    box.current?.children[marked]?.scrollIntoView({ block: "nearest" });
  }, [marked]);
  const move = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step !== undefined && found.length > 0) {
      event.preventDefault();
      setMarked((marked + step + found.length) % found.length);
    }
    const chosen = found[marked];
    if (event.key === "Enter" && !event.nativeEvent.isComposing && chosen) run(chosen);
  };
  return (
    <>
      <div className="flex items-center gap-2.5 border-b px-4">
        <Search aria-hidden className="size-4 text-muted" />
        <input
          // biome-ignore lint/a11y/noAutofocus: the palette is opened to type.
          autoFocus
          role="combobox"
          aria-expanded
          aria-controls={list}
          aria-activedescendant={found[marked] && `${list}-${marked}`}
          aria-label={t("palette")}
          placeholder={t("palettePrompt")}
          value={asked}
          onChange={(event) => {
            setAsked(event.target.value);
            setMarked(0);
          }}
          onKeyDown={move}
          className="h-12 flex-1 bg-transparent text-lg outline-none"
        />
      </div>
      <div
        id={list}
        ref={box}
        role="listbox"
        aria-label={t("palette")}
        className="max-h-[50dvh] overflow-y-auto p-1.5"
      >
        {found.map((command, index) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: the input above takes the keys.
          // biome-ignore lint/a11y/useFocusableInteractive: the input above keeps the focus.
          <div
            key={command.id}
            id={`${list}-${index}`}
            role="option"
            aria-selected={index === marked}
            onClick={() => run(command)}
            onPointerMove={() => setMarked(index)}
            className={cx(
              "flex cursor-pointer items-center gap-2.5 rounded-md px-2.5 py-2",
              index === marked && "bg-accent-soft",
            )}
          >
            <command.icon aria-hidden className="size-4 shrink-0 text-muted" />
            <span className="truncate">{command.label}</span>
            <span className="ml-auto whitespace-nowrap text-muted text-xs">{command.kind}</span>
            {index === marked && <CornerDownLeft aria-hidden className="size-3.5 text-muted" />}
          </div>
        ))}
      </div>
      {found.length === 0 && <p className="px-4 pb-6 text-center text-muted">{t("nothing")}</p>}
    </>
  );
}

function useCommands(): Command[] {
  const { t } = useTranslation("shell");
  const project = useProject();
  const navigate = useNavigate();
  const { isDark } = useTheme();
  const { data: servers = [] } = useQuery(serversQuery(project));
  const { data: tools = [] } = useQuery(toolsQuery(project));
  const { data: projects = [] } = useQuery(projectsQuery);
  return [
    ...PROJECT_PLACES.map(({ to, word, icon }) => ({
      id: to,
      label: t(`places.${word}`),
      kind: t("kinds.page"),
      icon,
      run: () => navigate({ to, params: { project } }),
    })),
    ...COMMON_PLACES.map(({ to, word, icon }) => ({
      id: to,
      label: t(`places.${word}`),
      kind: t("kinds.page"),
      icon,
      run: () => navigate({ to }),
    })),
    {
      id: "theme",
      label: t(isDark ? "toLight" : "toDark"),
      kind: t("kinds.command"),
      icon: Moon,
      run: () => chooseTheme(isDark ? "light" : "dark"),
    },
    ...servers.map((server) => ({
      id: `server ${server.id}`,
      label: server.name,
      kind: t("kinds.server"),
      icon: Server,
      run: () =>
        navigate({
          to: "/p/$project/servers/$server",
          params: { project, server: server.name },
        }),
    })),
    ...tools.map((tool) => ({
      id: `tool ${tool.exposed_name}`,
      label: tool.exposed_name,
      kind: t("kinds.tool"),
      icon: Wrench,
      run: () =>
        navigate({
          to: "/p/$project/playground",
          params: { project },
          search: { tool: tool.exposed_name },
        }),
    })),
    ...projects
      .filter((each) => each.name !== project)
      .map((each) => ({
        id: `project ${each.id}`,
        label: each.name,
        kind: t("kinds.project"),
        icon: FolderKanban,
        run: () => navigate({ to: "/p/$project/servers", params: { project: each.name } }),
      })),
  ];
}

function matching(commands: Command[], asked: string): Command[] {
  const words = asked.toLowerCase().split(/\s+/).filter(Boolean);
  return commands.filter(({ label, kind }) => {
    const text = `${label} ${kind}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
}
