/** An MCP App: a page of the server's own, in a frame that can reach neither ours nor the network. */
import { useQuery } from "@tanstack/react-query";
import { AppWindow } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import type { Tool } from "@/api/servers";
import { Badge } from "@/components/Badge";
import { Failure, Skeleton } from "@/components/Page";
import { useTheme } from "@/components/theme";
import { CLIENT, type Json, type Message, type Place } from "./client/protocol";
import { ask } from "./runs";

const VERSION = "2026-01-26";
const MAX_HEIGHT = 1200; // pixels

/** The address of the page that shows a tool's results, if it has one. */
export function appOf(tool: Tool | undefined): string | undefined {
  const meta = (tool as { _meta?: Json } | undefined)?._meta;
  const uri = (meta?.ui as Json | undefined)?.resourceUri ?? meta?.["ui/resourceUri"];
  return typeof uri === "string" && uri.startsWith("ui://") ? uri : undefined;
}

type Props = { uri: string; tool: Tool; values: Json; result: Json; place: Place };

export function AppFrame(props: Props) {
  const { t } = useTranslation("playground");
  const { uri, place } = props;
  const { data, error, refetch } = useQuery({
    queryKey: ["app", place.project, place.era, uri],
    queryFn: () => ask(place, "resources/read", { uri }),
    retry: false,
  });
  const contents = (data?.contents as Json[] | undefined)?.[0];
  const html =
    typeof contents?.blob === "string" ? decoded(contents.blob) : (contents?.text as string);
  return (
    <section className="overflow-hidden rounded-md border" aria-label={t("app.title")}>
      <p className="flex items-center gap-2 border-b bg-sunken px-3 py-1.5 text-xs">
        <AppWindow aria-hidden className="size-3.5 text-muted" />
        <span className="font-medium">{t("app.title")}</span>
        <code className="min-w-0 truncate font-mono text-muted">{uri}</code>
        <Badge className="ml-auto">{t("app.sandboxed")}</Badge>
      </p>
      {error ? (
        <div className="p-3">
          <Failure error={error} retry={refetch} />
        </div>
      ) : html ? (
        <Frame {...props} html={html} />
      ) : (
        <Skeleton className="m-3 h-40" />
      )}
    </section>
  );
}

function decoded(base64: string): string {
  return new TextDecoder().decode(Uint8Array.from(atob(base64), (each) => each.charCodeAt(0)));
}

function Frame({ html, tool, values, result, place }: Props & { html: string }) {
  const { t, i18n } = useTranslation("playground");
  const frame = useRef<HTMLIFrameElement>(null);
  const [height, setHeight] = useState(240);
  const { isDark } = useTheme();
  useEffect(() => {
    const target = frame.current?.contentWindow;
    if (!target) return;
    const say = (message: Json) => target.postMessage({ jsonrpc: "2.0", ...message }, "*");
    const listen = (event: MessageEvent) => {
      // The frame has no origin of its own; that it is this window is what counts.
      if (event.source !== target) return;
      if (event.data?.frame === "ready") target.postMessage({ html }, "*");
      const said = event.data as Message;
      if (said?.jsonrpc !== "2.0") return;
      if (said.method === "ui/notifications/initialized") {
        say({ method: "ui/notifications/tool-input", params: { arguments: values } });
        say({ method: "ui/notifications/tool-result", params: result });
      } else if (said.method === "ui/notifications/size-changed") {
        const wanted = Number(said.params?.height);
        if (wanted > 0) setHeight(Math.min(wanted, MAX_HEIGHT));
      } else if (said.method && said.id !== undefined) {
        const context = { theme: isDark ? "dark" : "light", locale: i18n.language, tool };
        answer(said, place, context, (address) => window.confirm(t("app.open", { address })))
          .then((found) => say({ id: said.id, result: found }))
          .catch((failure) =>
            say({ id: said.id, error: { code: -32000, message: String(failure.message) } }),
          );
      }
    };
    window.addEventListener("message", listen);
    return () => window.removeEventListener("message", listen);
  }, [html, values, result, place, tool, isDark, i18n.language, t]);
  return (
    <iframe
      ref={frame}
      title={t("app.title")}
      src="/frame.html"
      sandbox="allow-scripts"
      className="block w-full bg-white"
      style={{ height }}
    />
  );
}

type Context = { theme: string; locale: string; tool: Tool };

async function answer(
  said: Message,
  place: Place,
  { theme, locale, tool }: Context,
  mayOpen: (address: string) => boolean,
): Promise<Json> {
  const params = said.params ?? {};
  if (said.method === "ping") return {};
  if (said.method === "ui/initialize") {
    return {
      protocolVersion: VERSION,
      hostInfo: CLIENT,
      hostCapabilities: { openLinks: {}, serverTools: {}, serverResources: {} },
      hostContext: {
        theme,
        locale,
        displayMode: "inline",
        availableDisplayModes: ["inline"],
        platform: "web",
        toolInfo: { tool: { ...tool, name: tool.exposed_name } },
      },
    };
  }
  if (said.method === "ui/open-link") {
    const address = String(params.url ?? "");
    if (!/^https?:/i.test(address) || !mayOpen(address)) return { isError: true };
    window.open(address, "_blank", "noopener,noreferrer");
    return {};
  }
  if (said.method === "tools/call" || said.method === "resources/read") {
    return ask(place, said.method, withinServer(said.method, params, tool));
  }
  throw new Error(`Method not found: ${said.method}`);
}

/** An app calls the tools of its own server, by that server's names. */
function withinServer(method: string, params: Json, tool: Tool): Json {
  if (method !== "tools/call" || !tool.server) return params;
  const prefix = `${tool.server}__`;
  const name = String(params.name ?? "");
  const isPrefixed = tool.exposed_name.startsWith(prefix) && !name.startsWith(prefix);
  return isPrefixed ? { ...params, name: prefix + name } : params;
}
