// A model server on loopback for the end-to-end tests: it speaks as much of the OpenAI Responses
// API (codex), of the Chat Completions API (opencode, qwen, copilot), of the Anthropic Messages API
// (claude) and of the Gemini API (gemini) as those programs use. It has no model: a scenario, a pure
// function of the request, decides what "the model" does next, mostly by the number of tool results so
// far. A scenario is chosen by a marker in the prompt, such as `[[model: success file=hello.txt]]`, else
// by the server's options. What hangs is let go by `close()` or by the client hanging up.

/** What the scripted model does next. */
export type Reply =
  /** `after` so many seconds, at once where absent. */
  | { kind: "say"; text: string; after?: number }
  | { kind: "shell"; command: string }
  | { kind: "write"; path: string; content: string }
  | { kind: "fail"; status: number; message: string; code: string; headers?: HeadersInit }
  | { kind: "fail"; status: number; body: unknown; headers?: HeadersInit }
  /** Begins to answer, and ends in the middle. */
  | { kind: "cut" }
  | { kind: "hang" };

/** Which API a request came by. */
export type Api = "responses" | "chat" | "messages" | "gemini";

const PATHS: Readonly<Record<string, Api>> = {
  "/v1/responses": "responses",
  "/v1/chat/completions": "chat",
  "/v1/messages": "messages",
};
const GEMINI_PATH = /^\/v1beta\/models\/[\w.-]+:(?:streamG|g)enerateContent$/;

function apiOf(path: string): Api | undefined {
  return PATHS[path] ?? (GEMINI_PATH.test(path) ? "gemini" : undefined);
}

/** One request of an agent, as the scenarios and the assertions see it. */
export interface ModelRequest {
  /** Number of the request, from 0. */
  index: number;
  /** Which API it came by. */
  api: Api;
  /** Model asked for. */
  model: string;
  /** Bearer token it carried. */
  token: string;
  /** Text of the last user message that names a sentinel or a scenario, else of the last one. */
  prompt: string;
  /** All system, developer and user text, in order. */
  text: string;
  /** Names of the tools on offer; a request without tools is a side call (a title, a summary). */
  tools: string[];
  /** What tools returned since that user message. */
  toolResults: string[];
  /** Absolute path of the `.done` file that the prompt names, or "". */
  doneFile: string;
  /** Absolute path of the `.error` file that the prompt names, or "". */
  errorFile: string;
  /** Name of the scenario that answers it. */
  scenario: string;
  /** Values after the scenario's name in the marker. */
  options: Record<string, string>;
  /** How many requests the same scenario and prompt had before this one. */
  earlier: number;
  /** The whole body, for what the fields above leave out. */
  body: Record<string, unknown>;
}

/** A request and what it was answered with. */
export interface LogEntry {
  request: ModelRequest;
  reply: Reply;
}

/** Decides what the model does. Returning undefined leaves it to the scenario of the prompt. */
export type Scenario = (request: ModelRequest) => Reply | undefined;

/** Options of `startModelServer`. */
export interface ModelServerOptions {
  /** Scenario of a prompt without a marker; "success" when absent. */
  scenario?: string;
  /** Asked first, before the scenario of the prompt. */
  respond?: Scenario;
  /** What a prompt says when it tells of an earlier attempt, for the scenarios "NAME-first". */
  retryText?: RegExp;
  /** Ends the server, as `close()` does. */
  signal?: AbortSignal;
}

/** A running model server. */
export interface ModelServer {
  /** Port on 127.0.0.1. */
  readonly port: number;
  /** Base address with `/v1`, as both programs want it. */
  readonly url: string;
  /** Everything asked so far, in order. */
  readonly log: readonly LogEntry[];
  /** Requests to addresses that are not served: must stay empty. */
  readonly unexpected: readonly string[];
  /** Resolves with the first entry, past or to come, that the predicate accepts. */
  waitFor(accepts: (entry: LogEntry) => boolean, signal?: AbortSignal): Promise<LogEntry>;
  /** Lets go what hangs, drains the rest and frees the port. */
  close(): Promise<void>;
}

/** Text of HTTP 429, with `SECONDS` where the reset time goes. */
export const RATE_LIMIT_TEXT =
  "Rate limit reached for this model on requests per min. Please try again in SECONDSs.";

/**
 * Where the tool of a scenario leaves its process id, relative to the agent's folder: a sign that it
 * has begun. Within codex's sandbox the number is that of a namespace of its own. The option `pid`
 * names another file.
 */
export const TOOL_PID_FILE = "tool.pid";

/** What a tool prints that is no refusal of anybody's. */
export const TOOL_OUTPUT = "HTTP 429 Too Many Requests: rate limit exceeded, try again in 2 hours";

/** How providers refuse, in their own words, and when to come back: 20 seconds. */
const REFUSALS = {
  openai: {
    error: {
      message: "Rate limit reached for gpt-5.4 in organization org-AbC on tokens per min (TPM): " +
        "Limit 30000, Used 29800, Requested 1200. Please try again in 20s. Visit " +
        "https://platform.openai.com/account/rate-limits to learn more.",
      type: "tokens",
      param: null,
      code: "rate_limit_exceeded",
    },
  },
  anthropic: {
    type: "error",
    error: {
      type: "rate_limit_error",
      message: "This request would exceed your organization's rate limit of 50,000 input tokens " +
        "per minute (org: 0b1c, model: claude-sonnet-4-5). For details, refer to: " +
        "https://docs.claude.com/en/api/rate-limits. You can see the response headers for current " +
        "usage. Please reduce the prompt length or the maximum tokens requested, or try again later.",
    },
  },
  gemini: {
    error: {
      code: 429,
      message: "You exceeded your current quota, please check your plan and billing details. For " +
        "more information on this error, head to: https://ai.google.dev/gemini-api/docs/rate-limits. " +
        "\n* Quota exceeded for metric: generativelanguage.googleapis.com/" +
        "generate_content_free_tier_requests, limit: 5, model: gemini-2.5-pro\nPlease retry in 20s.",
      status: "RESOURCE_EXHAUSTED",
      details: [{ "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay: "20s" }],
    },
  },
  unpaid: {
    error: {
      message: "You exceeded your current quota, please check your plan and billing details. For " +
        "more information on this error, read the docs: " +
        "https://platform.openai.com/docs/guides/error-codes/api-errors.",
      type: "insufficient_quota",
      param: null,
      code: "insufficient_quota",
    },
  },
} as const;

// Without it opencode waits 2, 4, 8, 16 and 32 seconds between its six tries.
const RETRY_AT_ONCE = { "retry-after-ms": "1" };

const quote = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;

/** Makes the files, then signals success, then says so. */
const success: Scenario = (request) => {
  const { options, toolResults, doneFile } = request;
  const files = (options.file ?? "made_by_agent.txt").split(",");
  const text = options.text ?? "made by the agent";
  const lines = files.map((file) => `printf '%s\\n' ${quote(text)} > ${quote(file)}`);
  if (toolResults.length === 0) return { kind: "shell", command: lines.join(" && ") };
  if (toolResults.length === 1 && doneFile !== "") {
    const content = JSON.stringify({ summary: `Wrote ${files.join(" and ")}.`, files });
    return { kind: "write", path: doneFile, content: content + "\n" };
  }
  return { kind: "say", text: "Done: the file is written and the task is signalled as complete." };
};

/** The scenarios that a marker can name. */
export const SCENARIOS: Readonly<Record<string, Scenario>> = {
  success,
  /** Says something and ends: exit code 0, no file, no sentinel. */
  idle: () => ({ kind: "say", text: "I could not find anything to do." }),
  /** Makes the file and forgets the sentinel. */
  unsignalled: (request) =>
    request.toolResults.length === 0 ? success(request) : { kind: "say", text: "All done." },
  /** Reports a failure of its own. */
  error: (request) => {
    if (request.toolResults.length > 0) return { kind: "say", text: "I reported the failure." };
    const content = JSON.stringify({
      error: request.options.text ?? "the tests do not compile",
      details: "src/main.ts: expected an expression",
      timestamp: "2026-01-01T00:00:00Z",
    });
    return { kind: "write", path: request.errorFile, content: content + "\n" };
  },
  "401": () => ({
    kind: "fail",
    status: 401,
    message: "Incorrect API key provided: test-key.",
    code: "invalid_api_key",
  }),
  /**
   * Refuses the first `times` requests (all of them by default), then goes on as "success". People
   * and Orchestra read the reset time `reset`; the client itself is told to try again at once,
   * because opencode tries six times, however long that takes. With `as=event` the refusal comes
   * inside a stream that began well, as codex knows it.
   */
  "429": (request) => {
    if (request.earlier >= Number(request.options.times ?? Infinity)) return success(request);
    const seconds = request.options.reset ?? "20";
    return {
      kind: "fail",
      status: request.options.as === "event" ? 200 : 429,
      message: RATE_LIMIT_TEXT.replace("SECONDS", seconds),
      code: "rate_limit_exceeded",
      headers: { "retry-after": seconds, ...RETRY_AT_ONCE },
    };
  },
  /** As a subscription says it: the reset time is in the body, as seconds since the epoch. */
  "usage-limit": (request) => ({
    kind: "fail",
    status: 429,
    body: {
      error: {
        type: "usage_limit_reached",
        message: "The usage limit has been reached",
        plan_type: "plus",
        resets_at: Number(request.options.at ?? "1800000000"),
      },
    },
    headers: RETRY_AT_ONCE,
  }),
  /** Refuses as a provider does, the one of the API or another whose words are passed on. */
  refuse: ({ api, options }) => {
    const own = { gemini: "gemini", messages: "anthropic" } as const;
    const by = (options.by ?? own[api as keyof typeof own] ?? "openai") as keyof typeof REFUSALS;
    const headers = { ...RETRY_AT_ONCE, ...(by === "unpaid" ? {} : { "retry-after": "20" }) };
    return { kind: "fail", status: 429, body: REFUSALS[by], headers };
  },
  /** Every answer ends in the middle. */
  cut: () => ({ kind: "cut" }),
  /** Signals success, and says its last words long after. */
  late: (request) => {
    const reply = success(request)!;
    return reply.kind === "say" ? { ...reply, after: Number(request.options.after ?? "5") } : reply;
  },
  /** A tool prints what sounds like a refusal; then nothing is signalled. */
  words: ({ toolResults }) =>
    toolResults.length === 0
      ? { kind: "shell", command: `printf '%s\\n' ${quote(TOOL_OUTPUT)}` }
      : { kind: "say", text: `The tool said: ${TOOL_OUTPUT}` },
  "500": (request) =>
    request.earlier >= Number(request.options.times ?? Infinity) ? success(request) : {
      kind: "fail",
      status: 500,
      message: "The server had an error while processing your request.",
      code: "server_error",
      headers: RETRY_AT_ONCE,
    },
  /** Gives some answers, which cost, then none any more. */
  spend: ({ options, toolResults }) =>
    toolResults.length < Number(options.answers ?? "1")
      ? { kind: "shell", command: "echo spent" }
      : { kind: "hang" },
  /** Never answers. */
  hang: () => ({ kind: "hang" }),
  /**
   * Starts a tool that leaves a process in a session of its own, then never answers. (Within
   * codex's own sandbox such a process ends with the tool; run codex with full access to see it.)
   */
  "hang-detached": ({ options, toolResults }) => {
    const file = options.pid ?? TOOL_PID_FILE;
    return toolResults.length > 0 ? { kind: "hang" } : {
      kind: "shell",
      command: `setsid sh -c 'echo $$ > ${file}; exec sleep 1000' </dev/null ` +
        `>/dev/null 2>&1 & while [ ! -s ${file} ]; do sleep 0.01; done`,
    };
  },
  /** Is in the middle of a tool for as long as it is let. */
  "slow-tool": ({ options, toolResults }) =>
    toolResults.length > 0
      ? { kind: "hang" }
      : { kind: "shell", command: `echo $$ > ${options.pid ?? TOOL_PID_FILE}; sleep 1000` },
};

/** Starts a server on a free port of 127.0.0.1. */
export function startModelServer(options: ModelServerOptions = {}): ModelServer {
  const retryText = options.retryText ?? /earlier attempt/i;
  const log: LogEntry[] = [];
  const unexpected: string[] = [];
  const waiting = new Set<(entry: LogEntry) => void>();
  const counts = new Map<string, number>();
  const closing = new AbortController();

  const decide = (request: ModelRequest): Reply => {
    const own = options.respond?.(request);
    if (own !== undefined) return own;
    if (request.tools.length === 0) return { kind: "say", text: "A title" };
    // "NAME-first": so goes the first attempt; the retry is told of it, and then it works.
    const first = request.scenario.match(/^(.+)-first$/)?.[1];
    const name = first === undefined
      ? request.scenario
      : retryText.test(request.prompt)
      ? "success"
      : first;
    const scenario = SCENARIOS[name];
    const reply = scenario?.(request);
    return reply ?? { kind: "fail", status: 400, message: `no scenario "${name}"`, code: "test" };
  };

  const handle = async (http: Request): Promise<Response> => {
    const path = new URL(http.url).pathname;
    const api = apiOf(path);
    if (api === undefined || http.method !== "POST") {
      await http.body?.cancel();
      unexpected.push(`${http.method} ${path}`);
      return Response.json({ error: { message: "not found" } }, { status: 404 });
    }
    let body: unknown;
    try {
      body = await http.json();
    } catch {
      unexpected.push(`${http.method} ${path}: not JSON`);
      return Response.json({ error: { message: "not JSON" } }, { status: 400 });
    }
    const request = parseRequest(api, body, log.length, options.scenario ?? "success");
    request.token = http.headers.get("x-goog-api-key") ?? http.headers.get("x-api-key") ??
      (http.headers.get("authorization") ?? "").replace(/^Bearer /, "");
    const key = `${request.tools.length > 0} ${request.scenario} ${request.prompt}`;
    request.earlier = counts.get(key) ?? 0;
    counts.set(key, request.earlier + 1);
    const entry = { request, reply: decide(request) };
    log.push(entry);
    for (const notify of [...waiting]) notify(entry);
    if (entry.reply.kind === "say" && entry.reply.after !== undefined) {
      await passing(entry.reply.after * 1000, closing.signal);
    }
    return respond(entry, closing.signal);
  };

  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, handle);
  const close = async () => {
    closing.abort();
    await server.shutdown();
  };
  options.signal?.addEventListener("abort", () => void close(), { once: true });

  return {
    port: server.addr.port,
    url: `http://127.0.0.1:${server.addr.port}/v1`,
    log,
    unexpected,
    waitFor(accepts, signal) {
      const past = log.find(accepts);
      if (past !== undefined) return Promise.resolve(past);
      const { promise, resolve, reject } = Promise.withResolvers<LogEntry>();
      const notify = (entry: LogEntry) => {
        if (accepts(entry)) resolve(entry);
      };
      const fail = () => reject(signal?.reason ?? new Error("the model server was closed"));
      waiting.add(notify);
      signal?.addEventListener("abort", fail);
      closing.signal.addEventListener("abort", fail);
      return promise.finally(() => {
        waiting.delete(notify);
        signal?.removeEventListener("abort", fail);
        closing.signal.removeEventListener("abort", fail);
      });
    },
    close,
  };
}

/** Fulfilled after some milliseconds, or when the server closes. */
function passing(milliseconds: number, closing: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    closing.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
  });
}

type Json = Record<string, unknown>;
const isJson = (value: unknown): value is Json => typeof value === "object" && value !== null;

/** Text of a message's content: a string, or parts of which some have `text`. */
function contentText(content: unknown): string {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return "";
  return content.map((part) => isJson(part) && typeof part.text === "string" ? part.text : "")
    .join("\n");
}

/** Reads a body of either API into the one form that scenarios see. */
function parseRequest(
  api: Api,
  body: unknown,
  index: number,
  defaultScenario: string,
): ModelRequest {
  const source = isJson(body) ? body : {};
  const list = api === "responses"
    ? source.input
    : api === "gemini"
    ? geminiMessages(source)
    : source.messages;
  const items = Array.isArray(list) ? list.filter(isJson) : [];
  const isToolResult = (part: unknown) => isJson(part) && part.type === "tool_result";
  const isUser = (item: Json) =>
    item.role === "user" && !(Array.isArray(item.content) && item.content.some(isToolResult));
  const names = (item: Json) => /\.done\b|\[\[model:/.test(contentText(item.content));
  let at = items.findLastIndex((item) => isUser(item) && names(item));
  if (at < 0) at = items.findLastIndex(isUser);
  const prompt = contentText(items[at]?.content);
  // An item of its own in the OpenAI APIs, a part of a user's message in Anthropic's.
  const toolResults = items.slice(at + 1)
    .flatMap((item) => [item, ...(Array.isArray(item.content) ? item.content.filter(isJson) : [])])
    .filter((item) =>
      item.role === "tool" || item.type === "tool_result" ||
      String(item.type).endsWith("_call_output")
    )
    .map((item) => {
      const value = item.content ?? item.output;
      return contentText(value) || JSON.stringify(value ?? "");
    });
  const tools = (Array.isArray(source.tools) ? source.tools.filter(isJson) : [])
    .flatMap((tool) =>
      Array.isArray(tool.functionDeclarations) ? tool.functionDeclarations.filter(isJson) : [tool]
    )
    .map((tool) => String(isJson(tool.function) ? tool.function.name : tool.name ?? tool.type));
  const marker = prompt.match(/\[\[model: *([\w-]+)([^\]]*)\]\]/);
  const options: Record<string, string> = {};
  for (const pair of (marker?.[2] ?? "").trim().split(/\s+/)) {
    const cut = pair.indexOf("=");
    if (cut > 0) options[pair.slice(0, cut)] = pair.slice(cut + 1);
  }
  return {
    index,
    api,
    model: String(source.model ?? ""),
    token: "",
    prompt,
    text: items.filter((item) => item.role !== "assistant" && item.role !== "tool")
      .map((item) => contentText(item.content)).join("\n"),
    tools,
    toolResults,
    doneFile: sentinelPath(prompt, "done"),
    errorFile: sentinelPath(prompt, "error"),
    scenario: marker?.[1] ?? defaultScenario,
    options,
    earlier: 0,
    body: source,
  };
}

/** The contents of a Gemini request in the form of Anthropic's messages. */
function geminiMessages({ contents }: Json): Json[] {
  return (Array.isArray(contents) ? contents.filter(isJson) : []).map(({ role, parts }) => ({
    role: role === "model" ? "assistant" : "user",
    content: (Array.isArray(parts) ? parts.filter(isJson) : []).map((part) =>
      part.functionResponse === undefined
        ? part
        : { type: "tool_result", content: JSON.stringify(part.functionResponse) }
    ),
  }));
}

/** The last absolute path of a sentinel in a text, between backticks (spaces allowed) or bare. */
function sentinelPath(text: string, kind: "done" | "error"): string {
  const quoted = [...text.matchAll(new RegExp(`\`(/[^\`\\n]*\\.${kind})\``, "g"))];
  if (quoted.length > 0) return quoted.at(-1)?.[1] ?? "";
  return [...text.matchAll(new RegExp(`(/[^\\s\`"'<>]*\\.${kind})\\b`, "g"))].at(-1)?.[1] ?? "";
}

/** The tool call that carries out a reply with the tools that the agent offers. */
function toolCall(reply: Reply, tools: string[]): { name: string; args: Json } | null {
  if (reply.kind === "write" && tools.includes("write")) {
    return { name: "write", args: { filePath: reply.path, content: reply.content } };
  }
  if (reply.kind === "write" && tools.includes("write_file")) {
    return { name: "write_file", args: { file_path: reply.path, content: reply.content } };
  }
  if (reply.kind === "write" && tools.includes("Write")) {
    return { name: "Write", args: { file_path: reply.path, content: reply.content } };
  }
  if (reply.kind !== "write" && reply.kind !== "shell") return null;
  const command = reply.kind === "shell"
    ? reply.command
    : `printf '%s' ${quote(reply.content)} > ${quote(reply.path)}`;
  if (tools.includes("run_commands")) {
    return { name: "run_commands", args: { commands: [command] } };
  }
  if (tools.includes("exec_command")) return { name: "exec_command", args: { cmd: command } };
  if (tools.includes("shell_command")) return { name: "shell_command", args: { command } };
  if (tools.includes("shell")) return { name: "shell", args: { command: ["sh", "-c", command] } };
  const args = { command, description: "Works on the task" };
  if (tools.includes("run_shell_command")) {
    return { name: "run_shell_command", args: { ...args, is_background: false } };
  }
  return { name: tools.includes("Bash") ? "Bash" : "bash", args };
}

/** Tokens that every answer reports: simple to multiply in an assertion. */
export const USAGE = { input: 1000, cached: 200, output: 50, reasoning: 10 } as const;

function respond({ request, reply }: LogEntry, closing: AbortSignal): Response {
  const headers = { "content-type": "text/event-stream", "cache-control": "no-cache" };
  if (reply.kind === "fail" && "message" in reply && reply.status === 200) {
    const { code, message } = reply;
    const response = { id: `resp_${request.index}`, status: "failed", error: { code, message } };
    const events = [
      { type: "response.created", response: { id: response.id } },
      { type: "response.failed", response },
    ];
    return new Response(eventStream(events), { headers });
  }
  if (reply.kind === "fail") {
    const body = "body" in reply
      ? reply.body
      : request.api === "messages"
      ? { type: "error", error: { type: reply.code, message: reply.message } }
      : request.api === "gemini"
      ? { error: { code: reply.status, message: reply.message, status: reply.code.toUpperCase() } }
      : { error: { message: reply.message, type: reply.code, code: reply.code, param: null } };
    return Response.json(body, { status: reply.status, headers: reply.headers });
  }
  if (reply.kind === "hang") {
    // Headers and the first event are sent, then nothing: as a model that thinks for ever.
    let end = () => {};
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(new TextEncoder().encode(": thinking\n\n"));
        end = () => controller.close();
        closing.addEventListener("abort", end, { once: true });
      },
      cancel: () => closing.removeEventListener("abort", end),
    });
    return new Response(body, { headers });
  }
  const call = toolCall(reply, request.tools);
  const text = reply.kind === "say" ? reply.text : "";
  const events = EVENTS[request.api](request, call, text);
  // What is cut off ends in the middle of its first event.
  const end = reply.kind === "cut" ? events.indexOf("\n\n") / 2 : events.length;
  return new Response(events.slice(0, end), { headers });
}

function responsesEvents(
  request: ModelRequest,
  call: { name: string; args: Json } | null,
  text: string,
): string {
  const id = `resp_${request.index}`;
  const item = call === null
    ? {
      type: "message",
      id: `msg_${request.index}`,
      role: "assistant",
      content: [{ type: "output_text", text }],
    }
    : {
      type: "function_call",
      id: `fc_${request.index}`,
      call_id: `call_${request.index}`,
      name: call.name,
      arguments: JSON.stringify(call.args),
    };
  const usage = {
    input_tokens: USAGE.input,
    input_tokens_details: { cached_tokens: USAGE.cached },
    output_tokens: USAGE.output,
    output_tokens_details: { reasoning_tokens: USAGE.reasoning },
    total_tokens: USAGE.input + USAGE.output,
  };
  const events: Json[] = [
    { type: "response.created", response: { id } },
    { type: "response.output_item.added", output_index: 0, item },
    { type: "response.output_item.done", output_index: 0, item },
    { type: "response.completed", response: { id, usage } },
  ];
  return eventStream(events);
}

const eventStream = (events: Json[]) =>
  events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`).join("");

function chatEvents(
  request: ModelRequest,
  call: { name: string; args: Json } | null,
  text: string,
): string {
  const chunk = (delta: Json, finish: string | null) => ({
    id: `chatcmpl-${request.index}`,
    object: "chat.completion.chunk",
    created: 1767225600,
    model: request.model,
    choices: [{ index: 0, delta, finish_reason: finish }],
  });
  const usage = {
    prompt_tokens: USAGE.input,
    prompt_tokens_details: { cached_tokens: USAGE.cached },
    completion_tokens: USAGE.output,
    completion_tokens_details: { reasoning_tokens: USAGE.reasoning },
    total_tokens: USAGE.input + USAGE.output,
  };
  const first: Json = call === null ? { role: "assistant", content: text } : {
    role: "assistant",
    content: null,
    tool_calls: [{
      index: 0,
      id: `call_${request.index}`,
      type: "function",
      function: { name: call.name, arguments: JSON.stringify(call.args) },
    }],
  };
  const chunks: Json[] = [
    chunk(first, null),
    chunk({}, call === null ? "stop" : "tool_calls"),
    { ...chunk({}, null), choices: [], usage },
  ];
  return chunks.map((value) => `data: ${JSON.stringify(value)}\n\n`).join("") + "data: [DONE]\n\n";
}

function messagesEvents(
  request: ModelRequest,
  call: { name: string; args: Json } | null,
  text: string,
): string {
  const message = {
    id: `msg_${request.index}`,
    type: "message",
    role: "assistant",
    model: request.model,
    content: [],
    stop_reason: null,
    stop_sequence: null,
    usage: {
      input_tokens: USAGE.input - USAGE.cached,
      cache_read_input_tokens: USAGE.cached,
      cache_creation_input_tokens: 0,
      output_tokens: 1,
    },
  };
  const block = call === null
    ? { type: "text", text: "" }
    : { type: "tool_use", id: `toolu_${request.index}`, name: call.name, input: {} };
  const delta = call === null
    ? { type: "text_delta", text }
    : { type: "input_json_delta", partial_json: JSON.stringify(call.args) };
  const end = { stop_reason: call === null ? "end_turn" : "tool_use", stop_sequence: null };
  return eventStream([
    { type: "message_start", message },
    { type: "content_block_start", index: 0, content_block: block },
    { type: "content_block_delta", index: 0, delta },
    { type: "content_block_stop", index: 0 },
    { type: "message_delta", delta: end, usage: { output_tokens: USAGE.output } },
    { type: "message_stop" },
  ]);
}

function geminiEvents(
  request: ModelRequest,
  call: { name: string; args: Json } | null,
  text: string,
): string {
  const part = call === null ? { text } : { functionCall: call };
  const answer = {
    candidates: [{ index: 0, content: { role: "model", parts: [part] }, finishReason: "STOP" }],
    usageMetadata: {
      promptTokenCount: USAGE.input,
      cachedContentTokenCount: USAGE.cached,
      candidatesTokenCount: USAGE.output - USAGE.reasoning,
      thoughtsTokenCount: USAGE.reasoning,
      totalTokenCount: USAGE.input + USAGE.output,
    },
    modelVersion: "test-model",
    responseId: `resp_${request.index}`,
  };
  return `data: ${JSON.stringify(answer)}\n\n`;
}

const EVENTS = {
  responses: responsesEvents,
  chat: chatEvents,
  messages: messagesEvents,
  gemini: geminiEvents,
} as const;

if (import.meta.main) {
  // By hand: `deno run --allow-net tests/agents/model_server.ts [scenario]` serves until interrupted.
  const server = startModelServer({ scenario: Deno.args[0] });
  console.log(server.url);
  server.waitFor(({ request, reply }) => {
    const { index, api, tools, toolResults, scenario } = request;
    const results = toolResults.length;
    console.log(JSON.stringify({ index, api, scenario, tools, results, reply }));
    return false;
  }).catch(() => {});
  Deno.addSignalListener("SIGINT", () => void server.close());
}
