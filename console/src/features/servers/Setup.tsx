/** How a server is reached: names of secrets, never their values. */
import { useTranslation } from "react-i18next";
import type { Server } from "@/api/servers";
import { Badge } from "@/components/Badge";
import { Facts } from "@/components/Facts";
import { useFormats } from "@/components/format";
import { Card } from "@/components/Page";

export function Setup({ server }: { server: Server }) {
  const { t } = useTranslation("servers");
  const { moment, duration } = useFormats();
  return (
    <Card>
      <div className="p-4">
        <Facts
          facts={[
            [t("transport"), t(`transports.${server.transport}`)],
            [t("command"), server.command && <Mono text={server.command} />],
            [
              t("args"),
              server.args && server.args.length > 0 && <Mono text={server.args.join(" ")} />,
            ],
            [t("cwd"), server.cwd && <Mono text={server.cwd} />],
            [t("env"), <Names key="env" names={server.env_names} />],
            [t("url"), server.url && <Mono text={(server.urls ?? [server.url]).join("\n")} />],
            [t("headers"), <Names key="headers" names={server.header_names} />],
            [t("timeout"), duration(server.timeout * 1000)],
            [t("approved"), <Names key="approved" names={server.auto_approve} />],
            [t("created"), moment(server.created_at)],
            [t("updated"), moment(server.updated_at)],
          ]}
        />
      </div>
    </Card>
  );
}

function Mono({ text }: { text: string }) {
  return <code className="whitespace-pre-wrap font-mono text-sm">{text}</code>;
}

function Names({ names }: { names: readonly string[] | null | undefined }) {
  const { t } = useTranslation("common");
  if (!names || names.length === 0) return <span className="text-muted">{t("none")}</span>;
  return (
    <span className="flex flex-wrap gap-1">
      {names.map((name) => (
        <Badge key={name} className="font-mono">
          {name}
        </Badge>
      ))}
    </span>
  );
}
