// Carries out a plan with one MCP client and prints what it saw, for the clients in TypeScript.
//
// Plans and reports are those of performer.py. `connect(target, seen)` returns an object with the
// methods that steps name; packages are found by `required`, in the folder that the command line
// names after the plan.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const STEP_MILLISECONDS = 60_000;
const PAUSE = 100; // milliseconds between two looks at a list
const ROOTS = [{ uri: "file:///home/ada/project", name: "project" }];
const SAID = {
  role: "assistant",
  content: { type: "text", text: "Hello back" },
  model: "a-model",
  stopReason: "endTurn",
};
const FRESH = { cacheMode: "refresh" };
export const CANCELLED = "the client gave up";
export const required = createRequire(`${process.argv[3]}/`);

/** Says that a client has no way to do a step, or the era of its connection has none. */
export class Unable extends Error {}

/** What a client hears and is asked while it carries out a run. */
class Seen {
  #asked = [];
  #heard = [];
  #waiting = () => {};

  hear(method, params) {
    this.#heard.push({ method, params: params ?? {} });
    this.#waiting();
  }

  answer(method, params) {
    this.#asked.push({ method, params: params ?? {} });
    if (method === "roots/list") return { roots: ROOTS };
    if (method === "sampling/createMessage") return SAID;
    if (params.mode === "url") return { action: "accept" };
    const isName = "name" in params.requestedSchema.properties;
    return { action: "accept", content: isName ? { name: "Ada" } : { age: 36 } };
  }

  takeAsked() {
    return this.#asked.splice(0);
  }

  async until(method, where) {
    const matches = ({ method: its, params }) =>
      its === method &&
      Object.entries(where).every(([key, at]) => new RegExp(at).test(String(params[key])));
    while (!this.#heard.some(matches)) {
      await new Promise((wake) => {
        this.#waiting = wake;
      });
    }
    return this.#heard.splice(this.#heard.findIndex(matches), 1)[0].params;
  }
}

const steps = {
  list: (it, { kind, until = [], gone = [] }) => list(it, kind, until, gone),
  call: (it, { name, arguments: args }, heard) => it.call(name, args, heard),
  cancel: (it, { name, arguments: args }) => it.cancel(name, args),
  prompt: (it, { name, arguments: args }) => it.prompt(name, args),
  read: (it, { uri }) => it.read(uri),
  complete: (it, { ref, argument, context }) => it.complete(ref, argument, context),
  ping: (it) => it.ping(),
  level: (it, { level }) => it.level(level),
  watch: (it, { uris }) => it.watch(uris),
  unwatch: (it, { uris }) => it.unwatch(uris),
};

async function list(it, kind, until, gone) {
  for (;;) {
    const items = await it.list(kind);
    const names = items.flatMap(({ name, uri }) => [name, uri]);
    const has = (name) => names.includes(name);
    if (until.every(has) && !gone.some(has)) return items;
    await new Promise((wake) => setTimeout(wake, PAUSE));
  }
}

async function perform(step, it, seen) {
  const outcome = { progress: [] };
  const heard = ({ progress, total = null, message = null }) =>
    outcome.progress.push([progress, total, message]);
  let timer;
  const late = new Promise((_, fail) => {
    timer = setTimeout(() => fail("late"), STEP_MILLISECONDS);
  });
  try {
    const doing =
      step.do === "hear" ? seen.until(step.method, step.where) : steps[step.do](it, step, heard);
    outcome.result = (await Promise.race([doing, late])) ?? null;
  } catch (fault) {
    if (fault === "late") outcome.timeout = true;
    else if (fault instanceof Unable) outcome.unable = true;
    else if (typeof fault.code === "number") {
      outcome.error = { code: fault.code, message: fault.message, data: fault.data ?? null };
    } else throw fault;
  } finally {
    clearTimeout(timer);
  }
  outcome.asked = seen.takeAsked();
  return outcome;
}

/** Carry out the plan in the file that the command line names, and print the report. */
export async function main(connect) {
  const plan = JSON.parse(readFileSync(process.argv[2], "utf8"));
  const runs = [];
  for (const { target, steps: planned } of plan.runs) {
    const seen = new Seen();
    const connection = await connect(target, seen);
    const done = [];
    for (const step of planned) done.push(await perform(step, connection, seen));
    runs.push({ facts: connection.facts(), steps: done });
    await connection.close();
  }
  process.stdout.write(`\nREPORT ${JSON.stringify({ runs })}\n`);
}

/** A client of either TypeScript SDK; what differs between the two is given. */
export class Session {
  constructor(client, { isModern = false, callTool, version }) {
    this.client = client;
    this.isModern = isModern;
    this.callTool = callTool;
    this.version = version;
  }

  facts() {
    return {
      version: this.version(),
      server: this.client.getServerVersion() ?? null,
      capabilities: this.client.getServerCapabilities(),
      instructions: this.client.getInstructions() ?? null,
    };
  }

  async list(kind) {
    const { client } = this;
    const lists = {
      tools: (params) => client.listTools(params, FRESH),
      prompts: (params) => client.listPrompts(params, FRESH),
      resources: (params) => client.listResources(params, FRESH),
      resourceTemplates: (params) => client.listResourceTemplates(params, FRESH),
    };
    const items = [];
    let cursor;
    do {
      const page = await lists[kind](cursor === undefined ? undefined : { cursor });
      items.push(...page[kind]);
      cursor = page.nextCursor;
    } while (cursor !== undefined);
    return items;
  }

  call(name, args, onprogress) {
    return this.callTool({ name, arguments: args }, { onprogress });
  }

  async cancel(name, args) {
    const giving = new AbortController();
    const options = { onprogress: () => giving.abort(), signal: giving.signal };
    try {
      return { ended: await this.callTool({ name, arguments: args }, options) };
    } catch (fault) {
      if (!giving.signal.aborted) throw fault;
      return { ended: CANCELLED };
    }
  }

  prompt(name, args) {
    return this.client.getPrompt({ name, arguments: args });
  }

  read(uri) {
    return this.client.readResource({ uri });
  }

  complete(ref, argument, context) {
    const params = { ref, argument };
    return this.client.complete(context ? { ...params, context: { arguments: context } } : params);
  }

  async ping() {
    this.#legacyOnly();
    await this.client.ping();
  }

  async level(level) {
    this.#legacyOnly();
    await this.client.setLoggingLevel(level);
  }

  async watch(uris) {
    if (this.isModern) {
      await this.client.listen({ toolsListChanged: true, resourceSubscriptions: uris });
      return;
    }
    for (const uri of uris) await this.client.subscribeResource({ uri });
  }

  async unwatch(uris) {
    this.#legacyOnly();
    for (const uri of uris) await this.client.unsubscribeResource({ uri });
  }

  close() {
    return this.client.close();
  }

  #legacyOnly() {
    if (this.isModern) throw new Unable();
  }
}

/** Make the transport of a target from the classes of an SDK. */
export function transport(target, { HTTP, SSE, Stdio }) {
  if (target.command) {
    const [command, ...args] = target.command;
    return new Stdio({ command, args, stderr: "ignore" });
  }
  const Kind = target.way === "sse" ? SSE : HTTP;
  return new Kind(new URL(target.url), { requestInit: { headers: target.headers } });
}

export const CAPABILITIES = {
  elicitation: { form: {}, url: {} },
  sampling: {},
  roots: { listChanged: true },
};
export const QUESTIONS = ["elicitation/create", "sampling/createMessage", "roots/list"];
export const NEWS = [
  "notifications/message",
  "notifications/resources/updated",
  "notifications/tools/list_changed",
];
