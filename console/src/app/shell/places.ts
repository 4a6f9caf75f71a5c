/** The places that the navigation and the palette lead to. */
import { KeyRound, type LucideIcon, Plug, ScrollText, Server, SquareTerminal } from "lucide-react";

export const PROJECT_PLACES = [
  { to: "/p/$project/servers", word: "servers", icon: Server },
  { to: "/p/$project/playground", word: "playground", icon: SquareTerminal },
  { to: "/p/$project/records", word: "records", icon: ScrollText },
  { to: "/p/$project/connect", word: "connect", icon: Plug },
  { to: "/p/$project/keys", word: "keys", icon: KeyRound },
] as const satisfies readonly Place[];

type Place = { to: string; word: string; icon: LucideIcon };
