/** Taking over the servers of another client's configuration: paste, look, import. */
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { api, brought, type Schemas } from "@/api/client";
import { Badge, type Tone } from "@/components/Badge";
import { Button } from "@/components/Button";
import { Dialog } from "@/components/Dialog";
import { Field, Textarea } from "@/components/Field";
import { Failure } from "@/components/Page";

type Result = Schemas["ImportResult"];
type Imported = Schemas["ImportedServer"];
type Props = { project: string; isOpen: boolean; onClose: () => void };

const EXAMPLE = `{
  "mcpServers": {
    "time": { "command": "uvx", "args": ["mcp-server-time"] },
    "docs": { "url": "https://example.com/mcp" }
  }
}`;

export function ImportDialog({ project, isOpen, onClose }: Props) {
  const { t } = useTranslation("servers");
  const { t: common } = useTranslation("common");
  const client = useQueryClient();
  const [text, setText] = useState("");
  const run = (isTrial: boolean) =>
    brought(
      api.POST("/api/v1/projects/{project}/import", {
        params: { path: { project } },
        body: { text, dry_run: isTrial, source: "" },
      }),
    );
  const look = useMutation({ mutationFn: () => run(true) });
  const take = useMutation({
    mutationFn: () => run(false),
    onSuccess: () => client.invalidateQueries({ queryKey: ["project", project, "servers"] }),
  });
  const result = take.data ?? look.data;
  const count = look.data?.servers.filter((each) => each.action !== "unchanged").length ?? 0;
  const close = () => {
    onClose();
    setText("");
    look.reset();
    take.reset();
  };
  const write = (value: string) => {
    setText(value);
    look.reset();
    take.reset();
  };
  return (
    <Dialog
      isOpen={isOpen}
      onClose={close}
      size="lg"
      title={t("import.title")}
      note={t("import.note")}
      footer={
        take.data ? (
          <Button kind="primary" onClick={close}>
            {common("close")}
          </Button>
        ) : (
          <>
            <Button onClick={close}>{common("cancel")}</Button>
            {look.data ? (
              <Button
                kind="primary"
                busy={take.isPending}
                barred={count === 0 && t("import.nothingNew")}
                onClick={() => take.mutate()}
              >
                {t("import.take", { count })}
              </Button>
            ) : (
              <Button
                kind="primary"
                busy={look.isPending}
                barred={!text.trim() && t("import.pasteFirst")}
                onClick={() => look.mutate()}
              >
                {t("import.look")}
              </Button>
            )}
          </>
        )
      }
    >
      <div className="flex flex-col gap-4">
        {!take.data && (
          <Field label={t("import.text")} hint={t("import.hint")}>
            <Textarea
              rows={result ? 6 : 12}
              value={text}
              onChange={(event) => write(event.target.value)}
              placeholder={EXAMPLE}
              spellCheck={false}
              autoFocus
              className="font-mono text-xs leading-5"
            />
          </Field>
        )}
        {(look.isError || take.isError) && <Failure error={look.error ?? take.error} />}
        {result && <Preview result={result} isDone={take.data !== undefined} />}
      </div>
    </Dialog>
  );
}

function Preview({ result, isDone }: { result: Result; isDone: boolean }) {
  const { t } = useTranslation("servers");
  return (
    <section aria-label={t("import.preview")} className="flex flex-col gap-2">
      <p className="text-muted text-sm">{t("import.dialect", { dialect: result.dialect })}</p>
      <ul className="divide-y rounded-lg border">
        {result.servers.map((server) => (
          <Row key={server.name} server={server} isDone={isDone} />
        ))}
        {result.faults.map((fault) => (
          <li
            key={`${fault.server} ${fault.message}`}
            className="flex items-start gap-3 px-3.5 py-2.5"
          >
            <Badge tone="bad">{t("import.fault")}</Badge>
            <p className="text-sm">
              {fault.server && <strong className="font-medium">{fault.server} </strong>}
              {fault.message}
            </p>
          </li>
        ))}
        {result.warnings.map((warning) => (
          <li
            key={`${warning.server} ${warning.message}`}
            className="flex items-start gap-3 px-3.5 py-2.5"
          >
            <Badge tone="warn">{t("import.warning")}</Badge>
            <p className="text-sm">
              {warning.server && <strong className="font-medium">{warning.server} </strong>}
              {warning.message}
            </p>
          </li>
        ))}
      </ul>
    </section>
  );
}

const TONES: Record<Imported["action"], Tone> = {
  add: "ok",
  replace: "warn",
  unchanged: "neutral",
};

function Row({ server, isDone }: { server: Imported; isDone: boolean }) {
  const { t } = useTranslation("servers");
  const word = server.error
    ? t("import.failed")
    : isDone
      ? t(`import.done.${server.action}`)
      : t(`import.actions.${server.action}`);
  return (
    <li className="px-3.5 py-2.5">
      <div className="flex items-center gap-3">
        <Badge tone={server.error ? "bad" : TONES[server.action]}>{word}</Badge>
        <span className="font-medium">{server.name}</span>
        <span className="ml-auto text-muted text-sm">{t(`transports.${server.transport}`)}</span>
      </div>
      {server.error && <p className="mt-1 text-bad text-sm">{server.error}</p>}
    </li>
  );
}
