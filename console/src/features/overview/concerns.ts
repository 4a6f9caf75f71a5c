/** What a person should look at: in words of the language files, the gravest first. */
import type { Schemas } from "@/api/client";
import type { Server } from "@/api/servers";
import type { Statistics } from "@/api/statistics";

type Key = Schemas["KeyView"];

export type Concern = {
  id: string;
  kind: "failed" | "stale" | "circuit" | "endpoint" | "failing" | "slow" | "expired" | "expiring";
  tone: "bad" | "warn";
  name: string;
  /** What more there is to say: a reason in the gateway's own words, or numbers. */
  reason?: string;
  server?: string;
  tool?: string;
  share?: number;
  count?: number;
  ms?: number;
  when?: string;
};

const SLOW = 2000; // milliseconds that one call in twenty takes at least
const ENOUGH = 5; // calls from which on a share says something
const FAILING = 0.1;
const SOON = 14 * 24 * 3600 * 1000; // milliseconds before the end of a key

export function concerns(
  servers: readonly Server[],
  statistics: Statistics | undefined,
  keys: readonly Key[],
  now: number,
): Concern[] {
  const found = [
    ...servers.flatMap(ofServer),
    ...(statistics?.tools ?? []).flatMap(ofTool),
    ...(statistics?.servers ?? []).flatMap(ofSpeed),
    ...keys.flatMap((key) => ofKey(key, now)),
  ];
  return found.sort((one, other) => Number(one.tone === "warn") - Number(other.tone === "warn"));
}

function ofServer(server: Server): Concern[] {
  const base = { name: server.name, server: server.name };
  if (server.status === "failed" || server.status === "stale") {
    const reason = server.reason ?? server.last_error ?? undefined;
    const tone = server.status === "failed" ? "bad" : "warn";
    return [{ ...base, id: `server ${server.id}`, kind: server.status, tone, reason }];
  }
  if (server.circuit !== "closed" && server.status !== "disabled") {
    return [{ ...base, id: `circuit ${server.id}`, kind: "circuit", tone: "bad" }];
  }
  const out = (server.endpoints ?? []).filter((each) => each.state === "ejected");
  if (out.length === 0) return [];
  return [
    { ...base, id: `endpoint ${server.id}`, kind: "endpoint", tone: "warn", count: out.length },
  ];
}

function ofTool(sum: Statistics["tools"][number]): Concern[] {
  const share = sum.calls > 0 ? sum.failed / sum.calls : 0;
  if (share < FAILING || sum.calls < ENOUGH) return [];
  const { tool, server } = sum;
  return [
    {
      id: `tool ${server} ${tool}`,
      kind: "failing",
      tone: share >= 0.5 ? "bad" : "warn",
      name: tool,
      server,
      tool,
      share,
      count: sum.failed,
    },
  ];
}

function ofSpeed(sum: Statistics["servers"][number]): Concern[] {
  if (sum.p95_ms === null || sum.p95_ms < SLOW || sum.calls < ENOUGH) return [];
  const { server, p95_ms: ms } = sum;
  return [{ id: `slow ${server}`, kind: "slow", tone: "warn", name: server, server, ms }];
}

function ofKey(key: Key, now: number): Concern[] {
  if (key.revoked_at || !key.expires_at) return [];
  const left = new Date(key.expires_at).getTime() - now;
  // A key that ended long ago is no news.
  if (left > SOON || left < -SOON) return [];
  const kind = left > 0 ? "expiring" : "expired";
  return [{ id: `key ${key.id}`, kind, tone: "warn", name: key.name, when: key.expires_at }];
}
