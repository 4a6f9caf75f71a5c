/** The places that the navigation and the palette lead to. */
import {
  FolderKanban,
  Info,
  KeyRound,
  LayoutDashboard,
  type LucideIcon,
  Plug,
  ScrollText,
  Server,
  Settings,
  SquareTerminal,
  Wrench,
} from "lucide-react";

export const PROJECT_PLACES = [
  { to: "/p/$project/overview", word: "overview", icon: LayoutDashboard },
  { to: "/p/$project/servers", word: "servers", icon: Server },
  { to: "/p/$project/tools", word: "tools", icon: Wrench },
  { to: "/p/$project/playground", word: "playground", icon: SquareTerminal },
  { to: "/p/$project/records", word: "records", icon: ScrollText },
  { to: "/p/$project/connect", word: "connect", icon: Plug },
  { to: "/p/$project/keys", word: "keys", icon: KeyRound },
] as const satisfies readonly Place[];

export const COMMON_PLACES = [
  { to: "/projects", word: "projects", icon: FolderKanban },
  { to: "/settings", word: "settings", icon: Settings },
  { to: "/about", word: "about", icon: Info },
] as const satisfies readonly Place[];

type Place = { to: string; word: string; icon: LucideIcon };
