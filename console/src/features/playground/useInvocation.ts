/** One call at a time: what goes on in it, and how it ended. */
import { useCallback, useEffect, useRef, useState } from "react";
import type { Tool } from "@/api/servers";
import { note } from "./history";
import { type Answers, invoke, type JSONObject, type Message, type Question } from "./mcp";

export type Progress = { progress: number; total?: number; message?: string };
export type LogNote = { time: string; level: string; text: string };

export type Run = {
  state: "running" | "done" | "failed" | "cancelled";
  tool: string;
  args: JSONObject;
  messages: readonly Message[];
  logs: readonly LogNote[];
  progress?: Progress;
  questions?: Record<string, Question>;
  result?: JSONObject;
  error?: unknown;
  requestId: string;
  ms?: number;
};

const LIMIT = 500; // messages and lines that are kept of one call

export function useInvocation(project: string) {
  const [run, setRun] = useState<Run | null>(null);
  const abort = useRef<AbortController>(null);
  const reply = useRef<((answers: Answers) => void) | null>(null);
  useEffect(() => () => abort.current?.abort(), []);

  const start = useCallback(
    async (tool: Tool, args: JSONObject) => {
      abort.current?.abort();
      const control = new AbortController();
      abort.current = control;
      const began = performance.now();
      const time = new Date().toISOString();
      let requestId = "";
      setRun({
        state: "running",
        tool: tool.exposed_name,
        args,
        messages: [],
        logs: [],
        requestId,
      });
      const change = (changes: (run: Run) => Partial<Run>) => {
        // A call that another one has followed is shown no more.
        if (abort.current === control) setRun((now) => now && { ...now, ...changes(now) });
      };
      const end = (changes: Partial<Run> & Pick<Run, "state">, isToolError = false) => {
        const ms = performance.now() - began;
        change(() => ({ ...changes, ms, questions: undefined }));
        const status =
          changes.state === "done" ? (isToolError ? "tool_error" : "ok") : changes.state;
        if (status !== "running")
          note({ project, tool: tool.exposed_name, args, time, status, ms, requestId });
      };
      try {
        const result = await invoke({
          project,
          tool: tool.exposed_name,
          args,
          inputSchema: tool.inputSchema,
          signal: control.signal,
          known: (id) => {
            requestId = id;
            change(() => ({ requestId: id }));
          },
          hear: (message) => change((now) => heard(now, message)),
          ask: (questions) =>
            new Promise((resolve, reject) => {
              reply.current = (answers) => {
                change(() => ({ questions: undefined }));
                resolve(answers);
              };
              control.signal.addEventListener("abort", () => reject(control.signal.reason));
              change(() => ({ questions }));
            }),
        });
        end({ state: "done", result }, result.isError === true);
      } catch (error) {
        end(control.signal.aborted ? { state: "cancelled" } : { state: "failed", error });
      }
    },
    [project],
  );

  const cancel = useCallback(() => abort.current?.abort(), []);
  const answer = useCallback((answers: Answers) => reply.current?.(answers), []);
  return { run, start, cancel, answer };
}

function heard(run: Run, message: Message): Partial<Run> {
  const messages = [...run.messages, message].slice(-LIMIT);
  const params = (message.body.params ?? {}) as JSONObject;
  if (message.body.method === "notifications/progress") {
    return { messages, progress: params as Progress };
  }
  if (message.body.method === "notifications/message") {
    const text = typeof params.data === "string" ? params.data : JSON.stringify(params.data);
    const line = { time: message.time, level: String(params.level), text };
    return { messages, logs: [...run.logs, line].slice(-LIMIT) };
  }
  return { messages };
}
