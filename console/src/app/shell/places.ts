/** The places that the navigation and the palette lead to. */
import { type LucideIcon, Server } from "lucide-react";

export const PROJECT_PLACES = [
  { to: "/p/$project/servers", word: "servers", icon: Server },
] as const satisfies readonly Place[];

type Place = { to: string; word: string; icon: LucideIcon };
