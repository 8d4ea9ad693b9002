// A real Chromium for the tests of the page, driven by playwright-core through a pipe: whoever started it
// may die in whatever way, it ends with the pipe. Its user data are in a folder of its own, and no name but
// loopback's is resolved. What a page complains of, and each request that leaves the server, is gathered
// as trouble; a test of `webTest` fails where there is any.

import axe from "axe-core";
import {
  type Browser as Chromium,
  type BrowserContext,
  chromium,
  type ConsoleMessage,
  type Page,
  type Request,
} from "playwright-core";
import { assertEquals } from "../support/assert.ts";
import { type Missing, test, which } from "../support/needs.ts";

/** Sizes of windows that the page is made for, in CSS pixels. */
export const SIZES = {
  phone: { width: 390, height: 844 },
  laptop: { width: 1280, height: 800 },
  wide: { width: 2560, height: 1440 },
} as const;

export type Size = keyof typeof SIZES;
export type Scheme = "light" | "dark";

/** How long anything may take before a test gives it up, milliseconds; no measure of speed. */
const MOST = Number(Deno.env.get("WEB_PATIENCE") ?? 60_000);

const PROGRAM = ["chromium", "chromium-browser", "google-chrome"].map(which).find((path) =>
  path !== undefined
);

/** Why no page can be looked at here; null where it can. */
export const CHROMIUM: Missing = PROGRAM === undefined ? "Chromium is not installed" : null;

/** How a page is opened. */
export interface TabOptions {
  /** Where it goes first; nowhere where absent. */
  url?: string;
  size?: Size;
  scheme?: Scheme;
  /** The context of another tab: cookies and storage are shared with it, size and scheme are its. */
  beside?: Tab;
  /** Permissions, such as "notifications". */
  permissions?: string[];
}

/** A page, and what is known of it from outside. */
export interface Tab {
  readonly page: Page;
  readonly context: BrowserContext;
  /** Complaints, failed requests and requests to elsewhere since the last look; they are taken. */
  takeTrouble(): string[];
  /** Fulfilled when trouble like this has come, which is none from then on. */
  meets(pattern: RegExp): Promise<void>;
  /** What is like this is no trouble, also where it is told of later: a browser takes its time. */
  forgive(pattern: RegExp): void;
  /** Durations of tasks of the main thread of 50 ms and more, milliseconds, since the page was loaded. */
  longTasks(): Promise<number[]>;
  /** Bytes of the JavaScript heap that are in use after a collection. */
  heap(): Promise<number>;
  /** Puts a picture into the folder that $SCREENSHOTS names, where it does. */
  shoot(name: string): Promise<void>;
  /** Closes it, and what it shares with tabs that were opened beside it. */
  close(): Promise<void>;
}

/** A running browser. */
export interface Browser extends AsyncDisposable {
  readonly chromium: Chromium;
  open(options?: TabOptions): Promise<Tab>;
  /** What was not taken from any tab. */
  trouble(): string[];
}

/** A test with a browser; not run where there is none. It fails if a page had trouble that was not taken. */
export function webTest(
  name: string,
  body: (browser: Browser, context: Deno.TestContext) => Promise<void>,
  args: readonly string[] = [],
): void {
  test(name, CHROMIUM, async (context) => {
    await using browser = await openBrowser(args);
    await body(browser, context);
    assertEquals(browser.trouble(), [], "pages had trouble");
  });
}

/** Starts a browser, with more arguments of its command line where they are given. */
export async function openBrowser(args: readonly string[] = []): Promise<Browser> {
  const resolver = args.some((arg) => arg.startsWith("--host-resolver-rules="))
    ? []
    : ["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"];
  const started = await chromium.launch({
    executablePath: PROGRAM,
    // Root, as in a container, has no sandbox; and /dev/shm may be small there.
    args: ["--no-sandbox", "--disable-dev-shm-usage", ...resolver, ...args],
    env: withoutDisplay(),
    handleSIGINT: false,
    handleSIGTERM: false,
    handleSIGHUP: false,
  });
  const tabs: Tab[] = [];
  return {
    chromium: started,
    async open(options = {}) {
      const tab = await openTab(started, options);
      tabs.push(tab);
      return tab;
    },
    trouble: () => tabs.flatMap((tab) => tab.takeTrouble()),
    [Symbol.asyncDispose]: () => started.close(),
  };
}

/**
 * What a question about a page is answered with as soon as that is something. (`waitForFunction` is of no
 * use here: the page's policy forbids the `eval` that it is made of.)
 */
export async function until<T>(
  what: string,
  ask: () => Promise<T | undefined | null | false>,
): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  // A page that stands still does not answer at all.
  const inVain = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`Waited in vain for ${what}`)), MOST);
  });
  try {
    for (;;) {
      // That time is up counts first: an answer that is there at once would always win.
      const answer = await Promise.race([inVain, ask()]);
      if (answer !== undefined && answer !== null && answer !== false) return answer;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  } finally {
    clearTimeout(timer);
  }
}

/** The environment without what a browser of the user's desktop would join. */
function withoutDisplay(): Record<string, string> {
  const { DBUS_SESSION_BUS_ADDRESS: _, DISPLAY: __, ...env } = Deno.env.toObject();
  return env;
}

async function openTab(browser: Chromium, options: TabOptions): Promise<Tab> {
  const { url, size = "laptop", scheme = "light", beside, permissions = [] } = options;
  const context = beside?.context ?? await browser.newContext({
    viewport: SIZES[size],
    colorScheme: scheme,
    permissions,
    locale: "en-GB",
    timezoneId: "UTC",
    reducedMotion: "reduce",
  });
  const page = await context.newPage();
  page.setDefaultTimeout(MOST);
  await page.addInitScript(observeLongTasks);
  const trouble: string[] = [];
  const forgiven: RegExp[] = [];
  gatherTrouble(page, trouble);
  if (url !== undefined) await page.goto(url);
  return {
    page,
    context,
    takeTrouble: () =>
      trouble.splice(0).filter((line) => !forgiven.some((pattern) => pattern.test(line))),
    async meets(pattern) {
      await until(`trouble like ${pattern}`, async () => {
        await new Promise((resolve) => setTimeout(resolve));
        return trouble.some((line) => pattern.test(line));
      });
      forgiven.push(pattern);
    },
    forgive: (pattern) => void forgiven.push(pattern),
    longTasks: () => page.evaluate(() => (globalThis as unknown as Observed).longTasks),
    async heap() {
      const session = await context.newCDPSession(page);
      try {
        await session.send("HeapProfiler.collectGarbage");
        return (await session.send("Runtime.getHeapUsage")).usedSize;
      } finally {
        await session.detach();
      }
    },
    async shoot(name) {
      const folder = Deno.env.get("SCREENSHOTS");
      if (folder === undefined) return;
      Deno.mkdirSync(folder, { recursive: true });
      await page.screenshot({ path: `${folder}/${name}.png` });
    },
    close: () => beside === undefined ? context.close() : page.close(),
  };
}

interface Observed {
  longTasks: number[];
}

/** Runs in the page, before its own scripts. */
function observeLongTasks(): void {
  const observed = globalThis as unknown as Observed;
  observed.longTasks = [];
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) observed.longTasks.push(duration);
  }).observe({ type: "longtask", buffered: true });
}

/** Notes whatever a page complains of. */
function gatherTrouble(page: Page, trouble: string[]): void {
  page.on("pageerror", (error: Error) => trouble.push(`error: ${error.message}`));
  page.on("crash", () => trouble.push("the page has crashed"));
  page.on("console", (message: ConsoleMessage) => {
    if (message.type() === "error" || message.type() === "warning") {
      trouble.push(`console: ${message.text()}`);
    }
  });
  page.on("request", (request: Request) => {
    const { protocol, host } = new URL(request.url());
    const own = request.isNavigationRequest() || host === new URL(page.url()).host;
    if (/^(?:https?|wss?):$/.test(protocol) && !own) trouble.push(`elsewhere: ${request.url()}`);
  });
  page.on("requestfailed", (request: Request) => {
    const reason = request.failure()?.errorText ?? "";
    // What a page leaves behind, such as its stream of events.
    if (reason !== "net::ERR_ABORTED") trouble.push(`failed: ${request.url()}: ${reason}`);
  });
}

/**
 * What is wrong with a page for those who read it by other means than their eyes: each finding with the
 * elements that have it. It is put in through the debugger, which no content policy hinders.
 */
export async function runAxe(page: Page): Promise<string[]> {
  const session = await page.context().newCDPSession(page);
  try {
    await evaluate(session, `${axe.source}; 0`);
    const found = await evaluate(
      session,
      `axe.run(document, { resultTypes: ["violations"] }).then(({ violations }) =>
        violations.map(({ id, help, nodes }) => id + ": " + help + ": " +
          nodes.map(({ target, failureSummary }) => target.join(" ") + " (" +
            (failureSummary ?? "").split("\\n").slice(1).join(" ").trim() + ")").join("; ")))`,
    );
    return found as string[];
  } finally {
    await session.detach();
  }
}

type Session = Awaited<ReturnType<BrowserContext["newCDPSession"]>>;

async function evaluate(session: Session, expression: string): Promise<unknown> {
  const { result, exceptionDetails } = await session.send("Runtime.evaluate", {
    expression,
    awaitPromise: true,
    returnByValue: true,
  });
  if (exceptionDetails !== undefined) {
    throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
  }
  return result.value;
}
