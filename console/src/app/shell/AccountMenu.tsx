/** Who is signed in, with language, theme and the way out. */
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { ChevronsUpDown, LogOut } from "lucide-react";
import { useTranslation } from "react-i18next";
import { meQuery, signOut } from "@/api/me";
import { Menu, MenuChoice, MenuItem, MenuLine } from "@/components/Menu";
import { complain } from "@/components/Toasts";
import { chooseTheme, type Theme, useTheme } from "@/components/theme";
import { choose, LANGUAGES, type Language, spoken } from "@/languages";

const THEMES: readonly Theme[] = ["light", "dark", "system"];

export function AccountMenu() {
  const { t } = useTranslation("shell");
  const client = useQueryClient();
  const navigate = useNavigate();
  const { theme } = useTheme();
  const { data: me } = useQuery(meQuery);
  const leave = () =>
    signOut(client)
      .then(() => navigate({ to: "/login" }))
      .catch(complain);
  const name = me?.login?.person.email ?? me?.name ?? "";
  return (
    <div className="border-t p-3 max-lg:pb-[max(0.75rem,env(safe-area-inset-bottom))]">
      <Menu
        align="start"
        trigger={
          <button
            type="button"
            className="flex h-10 w-full items-center gap-2.5 rounded-md px-2 text-left hover:bg-hover"
          >
            <span
              aria-hidden
              className="grid size-6.5 shrink-0 place-items-center rounded-full bg-hover font-semibold text-muted text-xs"
            >
              {name.slice(0, 1).toUpperCase()}
            </span>
            <span className="min-w-0 flex-1 truncate text-sm">
              <span className="sr-only">{t("account")} </span>
              {name}
            </span>
            <ChevronsUpDown aria-hidden className="size-4 shrink-0 text-muted" />
          </button>
        }
      >
        <MenuChoice
          title={t("language")}
          value={spoken()}
          onChange={(value) => choose(value as Language)}
          options={Object.entries(LANGUAGES).map(([value, label]) => ({ value, label }))}
        />
        <MenuLine />
        <MenuChoice
          title={t("theme")}
          value={theme}
          onChange={(value) => chooseTheme(value as Theme)}
          options={THEMES.map((value) => ({ value, label: t(`themes.${value}`) }))}
        />
        <MenuLine />
        <MenuItem icon={LogOut} onSelect={leave}>
          {t("signOut")}
        </MenuItem>
      </Menu>
    </div>
  );
}
