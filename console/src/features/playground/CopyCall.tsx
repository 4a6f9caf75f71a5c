/** Takes a call along as a command or a program. */
import { Code2 } from "lucide-react";
import { useTranslation } from "react-i18next";
import { Button } from "@/components/Button";
import { Menu, MenuItem } from "@/components/Menu";
import { complain, say } from "@/components/Toasts";
import { type Call, type Kind, SNIPPETS, snippet } from "./snippets";

export function CopyCall({ call, size }: { call: Call; size?: "sm" }) {
  const { t } = useTranslation("playground");
  const copy = (kind: Kind) =>
    navigator.clipboard
      .writeText(snippet(kind, call))
      .then(() => say(t("copiedAs", { kind: SNIPPETS[kind] })))
      .catch(complain);
  return (
    <Menu
      align="start"
      trigger={
        <Button size={size}>
          <Code2 aria-hidden className="size-3.5" />
          {t("copyAs")}
        </Button>
      }
    >
      {Object.entries(SNIPPETS).map(([kind, name]) => (
        <MenuItem key={kind} onSelect={() => copy(kind as Kind)}>
          {name}
        </MenuItem>
      ))}
    </Menu>
  );
}
