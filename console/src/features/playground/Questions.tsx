/** What a server asks of the person while its tool runs, answered in place. */
import { ExternalLink, MessageCircleQuestion, Sparkles } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Button } from "@/components/Button";
import { Field, Textarea } from "@/components/Field";
import { SchemaForm } from "@/components/schema/SchemaForm";
import { type Fault, faultsOf, initial, type Schema } from "@/components/schema/schema";
import type { Json, Question } from "./client/protocol";

export function Questions({
  questions,
  onCancel,
}: {
  questions: readonly Question[];
  onCancel: () => void;
}) {
  return questions.map((question) => (
    <section
      key={question.id}
      className="m-4 animate-rise rounded-lg border border-accent/40 bg-accent-soft/40 p-4"
    >
      <One question={question} onCancel={onCancel} />
    </section>
  ));
}

function One({ question, onCancel }: { question: Question; onCancel: () => void }) {
  if (question.method === "sampling/createMessage") {
    return <Sampling question={question} onCancel={onCancel} />;
  }
  return question.params.mode === "url" ? (
    <Address question={question} />
  ) : (
    <Form question={question} />
  );
}

function Head({ icon: Icon, title, text }: { icon: typeof Sparkles; title: string; text: string }) {
  return (
    <div className="mb-3 flex gap-2.5">
      <Icon aria-hidden className="mt-0.5 size-4 shrink-0 text-accent" />
      <div className="min-w-0">
        <h3 className="font-semibold text-sm">{title}</h3>
        <p className="whitespace-pre-line text-base">{text}</p>
      </div>
    </div>
  );
}

function Refusals({ question }: { question: Question }) {
  const { t } = useTranslation("playground");
  return (
    <>
      <Button onClick={() => question.answer({ action: "decline" })}>{t("ask.decline")}</Button>
      <Button kind="quiet" onClick={() => question.answer({ action: "cancel" })}>
        {t("ask.dismiss")}
      </Button>
    </>
  );
}

function Form({ question }: { question: Question }) {
  const { t } = useTranslation("playground");
  const schema = (question.params.requestedSchema ?? {}) as Schema;
  const [value, setValue] = useState<unknown>(() => initial(schema) ?? {});
  const [faults, setFaults] = useState<Fault[]>([]);
  const accept = () => {
    const found = faultsOf(schema, value);
    setFaults(found);
    if (found.length === 0) question.answer({ action: "accept", content: value });
  };
  return (
    <form
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        accept();
      }}
    >
      <Head
        icon={MessageCircleQuestion}
        title={t("ask.form")}
        text={String(question.params.message ?? "")}
      />
      <SchemaForm schema={schema} value={value} onChange={setValue} faults={faults} />
      <div className="mt-4 flex flex-wrap gap-2">
        <Button kind="primary" type="submit">
          {t("ask.answer")}
        </Button>
        <Refusals question={question} />
      </div>
    </form>
  );
}

function Address({ question }: { question: Question }) {
  const { t } = useTranslation("playground");
  const address = String(question.params.url ?? "");
  const host = URL.canParse(address) ? new URL(address) : undefined;
  const isSafe = host?.protocol === "https:" || host?.protocol === "http:";
  return (
    <>
      <Head
        icon={ExternalLink}
        title={t("ask.url", { host: host?.host ?? "?" })}
        text={String(question.params.message ?? "")}
      />
      <p className="mb-3 rounded-md bg-sunken p-2 font-mono text-xs">{address}</p>
      <div className="flex flex-wrap gap-2">
        <Button
          kind="primary"
          barred={!isSafe && t("ask.unsafe")}
          onClick={() => {
            window.open(address, "_blank", "noopener,noreferrer");
            question.answer({ action: "accept" });
          }}
        >
          <ExternalLink aria-hidden className="size-3.5" />
          {t("ask.open")}
        </Button>
        <Refusals question={question} />
      </div>
    </>
  );
}

type Said = { role?: string; content?: unknown };

function Sampling({ question, onCancel }: { question: Question; onCancel: () => void }) {
  const { t } = useTranslation("playground");
  const [text, setText] = useState("");
  const { messages, systemPrompt, maxTokens } = question.params as {
    messages?: Said[];
    systemPrompt?: string;
    maxTokens?: number;
  };
  // Only a session of the legacy era can refuse; a stateless call ends when nobody answers.
  const refuse = () =>
    question.id.includes(" ") ? onCancel() : question.answer({ refused: true });
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        const content = { type: "text", text };
        if (text)
          question.answer({ role: "assistant", content, model: "human", stopReason: "endTurn" });
      }}
    >
      <Head
        icon={Sparkles}
        title={t("ask.sampling")}
        text={maxTokens ? t("ask.tokens", { count: maxTokens }) : ""}
      />
      <dl className="mb-3 flex flex-col gap-1.5 rounded-md bg-surface p-3 text-sm">
        {systemPrompt && <Line by="system" text={systemPrompt} />}
        {(messages ?? []).map((each, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: they never change places.
          <Line key={index} by={each.role ?? ""} text={wordsOf(each.content)} />
        ))}
      </dl>
      <Field label={t("ask.reply")}>
        <Textarea rows={3} value={text} onChange={(event) => setText(event.target.value)} />
      </Field>
      <div className="mt-3 flex flex-wrap gap-2">
        <Button kind="primary" type="submit" barred={!text && t("ask.replyFirst")}>
          {t("ask.answer")}
        </Button>
        <Button onClick={refuse}>{t("ask.decline")}</Button>
      </div>
    </form>
  );
}

function Line({ by, text }: { by: string; text: string }) {
  return (
    <div className="flex gap-2">
      <dt className="w-16 shrink-0 font-mono text-muted text-xs leading-5">{by}</dt>
      <dd className="min-w-0 whitespace-pre-line">{text}</dd>
    </div>
  );
}

function wordsOf(content: unknown): string {
  const parts = [content].flat() as Json[];
  return parts
    .map((part) => (part?.type === "text" ? String(part.text) : `[${part?.type}]`))
    .join("\n");
}
