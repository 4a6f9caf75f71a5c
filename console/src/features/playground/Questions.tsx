/** What the server asks in the middle of a call: forms, pages to visit, texts for a model. */
import { ExternalLink, MessageCircleQuestion } from "lucide-react";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import { Button, buttonStyle } from "@/components/Button";
import { Field, Textarea } from "@/components/Field";
import { SchemaForm } from "@/components/SchemaForm";
import { beginning, missing, type Schema, type Values } from "@/components/schema";
import type { Answers, JSONObject, Question } from "./mcp";

type Props = {
  questions: Record<string, Question>;
  onAnswer: (answers: Answers) => void;
  onCancel: () => void;
};

/** Asks one question after the other, and answers all at once. */
export function Questions({ questions, onAnswer, onCancel }: Props) {
  const { t } = useTranslation("playground");
  const [answers, setAnswers] = useState<Answers>({});
  const open = Object.entries(questions).filter(([id]) => !(id in answers));
  const [current] = open;
  if (!current) return null;
  const [id, question] = current;
  const take = (answer: JSONObject) => {
    const all = { ...answers, [id]: answer };
    setAnswers(all);
    if (open.length === 1) onAnswer(all);
  };
  return (
    <section
      aria-label={t("question")}
      className="rounded-lg border border-accent/50 bg-accent-soft/40 p-4"
    >
      <p className="mb-3 flex items-center gap-2 font-semibold text-accent text-sm">
        <MessageCircleQuestion aria-hidden className="size-4" />
        {t("asks")}
      </p>
      <Asked key={id} question={question} onAnswer={take} onCancel={onCancel} />
    </section>
  );
}

type AskedProps = {
  question: Question;
  onAnswer: (answer: JSONObject) => void;
  onCancel: () => void;
};

function Asked({ question, onAnswer, onCancel }: AskedProps) {
  const { t } = useTranslation("playground");
  if (question.method === "sampling/createMessage") {
    return <Sampling params={question.params} onAnswer={onAnswer} onCancel={onCancel} />;
  }
  if (question.method === "elicitation/create") {
    return <Elicitation params={question.params} onAnswer={onAnswer} />;
  }
  return (
    <div className="flex flex-wrap items-center gap-3">
      <p>{t("unknownQuestion", { method: question.method })}</p>
      <Button onClick={onCancel}>{t("cancel")}</Button>
    </div>
  );
}

type ElicitationProps = { params: JSONObject; onAnswer: (answer: JSONObject) => void };

function Elicitation({ params, onAnswer }: ElicitationProps) {
  const { t } = useTranslation("playground");
  const schema = (params.requestedSchema ?? {}) as Schema;
  const [values, setValues] = useState<Values>(() => beginning(schema));
  const address = typeof params.url === "string" && /^https?:/.test(params.url) ? params.url : null;
  const lacking = missing(schema, values);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (lacking.length > 0) return;
    onAnswer(params.mode === "url" ? { action: "accept" } : { action: "accept", content: values });
  };
  return (
    <form onSubmit={submit} className="flex flex-col gap-4">
      <p className="whitespace-pre-line">{String(params.message ?? "")}</p>
      {address && (
        <a href={address} target="_blank" rel="noreferrer" className={buttonStyle({})}>
          <ExternalLink aria-hidden className="size-4" />
          {new URL(address).host}
        </a>
      )}
      {params.mode !== "url" && <SchemaForm schema={schema} values={values} onChange={setValues} />}
      <div className="flex flex-wrap gap-2">
        <Button
          type="submit"
          kind="primary"
          barred={lacking.length > 0 && t("lacking", { names: lacking.join(", ") })}
        >
          {t("accept")}
        </Button>
        <Button onClick={() => onAnswer({ action: "decline" })}>{t("decline")}</Button>
        <Button kind="quiet" onClick={() => onAnswer({ action: "cancel" })}>
          {t("dismiss")}
        </Button>
      </div>
    </form>
  );
}

type TextBlock = { type?: string; text?: string };
type SamplingMessage = { role?: string; content?: TextBlock | TextBlock[] };

function Sampling({
  params,
  onAnswer,
  onCancel,
}: Omit<AskedProps, "question"> & { params: JSONObject }) {
  const { t } = useTranslation("playground");
  const [text, setText] = useState("");
  const messages = (params.messages ?? []) as SamplingMessage[];
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const content = { type: "text", text };
    onAnswer({ role: "assistant", content, model: "a person", stopReason: "endTurn" });
  };
  return (
    <form onSubmit={submit} className="flex flex-col gap-3">
      {typeof params.systemPrompt === "string" && (
        <p className="whitespace-pre-line text-muted text-sm">{params.systemPrompt}</p>
      )}
      <ul className="flex flex-col gap-2">
        {messages.map((message, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: the messages of a question do not change.
          <li key={index} className="rounded-md border bg-surface px-3 py-2">
            <p className="text-muted text-xs">{message.role}</p>
            <p className="whitespace-pre-line">
              {[message.content ?? []]
                .flat()
                .map((block) => block.text ?? `[${block.type}]`)
                .join("\n")}
            </p>
          </li>
        ))}
      </ul>
      <Field label={t("samplingAnswer")} hint={t("samplingHint")}>
        <Textarea rows={3} value={text} onChange={(event) => setText(event.target.value)} />
      </Field>
      <div className="flex gap-2">
        <Button type="submit" kind="primary" barred={!text.trim() && t("answerFirst")}>
          {t("answer")}
        </Button>
        <Button onClick={onCancel}>{t("cancel")}</Button>
      </div>
    </form>
  );
}
