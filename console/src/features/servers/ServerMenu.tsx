/** What can be done with one server. */
import { useNavigate } from "@tanstack/react-router";
import { Ellipsis, Pencil, Power, PowerOff, RotateCw, Trash2 } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useIsOwner } from "@/api/me";
import type { Server } from "@/api/servers";
import { IconButton } from "@/components/Button";
import { Confirm } from "@/components/Dialog";
import { Menu, MenuItem, MenuLine } from "@/components/Menu";
import { useServerActions } from "./actions";

type Props = { project: string; server: Server; onRemoved?: () => void };

export function ServerMenu({ project, server, onRemoved }: Props) {
  const { t } = useTranslation("servers");
  const { t: common } = useTranslation("common");
  const isOwner = useIsOwner();
  const navigate = useNavigate();
  const [isAsking, setAsking] = useState(false);
  const { toggle, restart, remove } = useServerActions(project);
  const edit = () =>
    navigate({ to: "/p/$project/servers", params: { project }, search: { edit: server.name } });
  const confirm = () => {
    setAsking(false);
    remove(server);
    onRemoved?.();
  };
  const trigger = (
    <IconButton
      label={t("menu", { name: server.name })}
      barred={isOwner ? undefined : common("ownersOnly")}
    >
      <Ellipsis aria-hidden className="size-4" />
    </IconButton>
  );
  if (!isOwner) return trigger;
  return (
    <>
      <Menu trigger={trigger}>
        <MenuItem icon={Pencil} onSelect={edit}>
          {t("edit")}
        </MenuItem>
        {!server.disabled && (
          <MenuItem icon={RotateCw} onSelect={() => restart(server)}>
            {t("restart")}
          </MenuItem>
        )}
        <MenuItem
          icon={server.disabled ? Power : PowerOff}
          onSelect={() => toggle(server, server.disabled)}
        >
          {server.disabled ? t("enable") : t("disable")}
        </MenuItem>
        <MenuLine />
        <MenuItem icon={Trash2} danger onSelect={() => setAsking(true)}>
          {t("delete")}
        </MenuItem>
      </Menu>
      <Confirm
        isOpen={isAsking}
        onClose={() => setAsking(false)}
        onConfirm={confirm}
        title={t("deleteTitle", { name: server.name })}
        action={t("delete")}
      >
        {t("deleteNote", { name: server.name, count: server.tool_count })}
      </Confirm>
    </>
  );
}
