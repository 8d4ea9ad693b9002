/// <reference lib="dom" />
// The frame of the page: where one can go, how it stands, and the view that the address names.

import type { ComponentType, JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { onSignedOut } from "./api.ts";
import { Help } from "./parts/help.tsx";
import { standingOf, titleFor, useTab } from "./parts/icon.ts";
import { useKeys } from "./parts/keys.ts";
import { Popup } from "./parts/menu.tsx";
import { isDrafting, NewTask } from "./parts/new_task.tsx";
import { RunButton } from "./parts/notices.tsx";
import { useNotify } from "./parts/notify.ts";
import { Toasts } from "./parts/toasts.tsx";
import { type GivenPlace, go, href, usePlace, type View } from "./router.ts";
import { SignIn } from "./session.tsx";
import { startState, useServer } from "./state.ts";
import { setTheme, type Theme, THEMES, useTheme } from "./theme.ts";
import Agents from "./views/agents.tsx";
import Graph from "./views/graph.tsx";
import Now from "./views/now.tsx";
import Stats from "./views/stats.tsx";
import Task from "./views/task.tsx";
import Timeline from "./views/timeline.tsx";
import Workspaces from "./views/workspaces.tsx";

const VIEWS: Readonly<Record<View, { component: ComponentType; title: string }>> = {
  now: { component: Now, title: "" },
  task: { component: Task, title: "Task" },
  graph: { component: Graph, title: "Graph" },
  timeline: { component: Timeline, title: "Timeline" },
  stats: { component: Stats, title: "Statistics" },
  agents: { component: Agents, title: "Agents" },
  workspaces: { component: Workspaces, title: "Workspaces" },
  home: { component: Workspaces, title: "" },
  unknown: { component: NoPage, title: "No such page" },
};

/** Where the navigation leads, and the key behind `g`. */
const PLACES = [
  { view: "now", title: "Now", key: "n" },
  { view: "graph", title: "Graph", key: "g" },
  { view: "timeline", title: "Timeline", key: "t" },
  { view: "stats", title: "Statistics", key: "s" },
  { view: "agents", title: "Agents", key: "a" },
] as const;

/** The whole page. */
export function App(): JSX.Element {
  const [signedOut, setSignedOut] = useState(false);
  useEffect(() => {
    onSignedOut(() => setSignedOut(true));
    startState();
  }, []);
  if (signedOut) return <SignIn onIn={() => location.reload()} />;
  return <Frame />;
}

type Box = "help" | "new" | null;

function Frame(): JSX.Element {
  const place = usePlace();
  const { workspaces, workspace, counts, connected, server } = useServer();
  const named = place.workspace;
  const [box, open] = useState<Box>(null);
  useEffect(() => {
    if (named !== null && isDrafting(named)) open("new");
  }, [named]);
  const isServed = named !== null && server !== null && server.workspaces.includes(named);
  // As long as nothing is known of the server, it is taken to have it, but is not asked for it.
  const isMissing = named !== null && server !== null && !isServed;
  useEffect(() => {
    const [only] = workspaces;
    if (place.view !== "home" || only === undefined) return;
    const to: GivenPlace = workspaces.length > 1
      ? { view: "workspaces" }
      : { view: "now", workspace: only.name };
    go(to, { replace: true });
  }, [place.view, workspaces]);
  const { component: Shown, title } = isMissing
    ? { component: NoWorkspace, title: "No such workspace" }
    : named !== null && server === null
    ? { ...VIEWS[place.view], component: NoServer }
    : VIEWS[place.view];
  useTab(
    titleFor({
      workspace: named,
      counts: named === null ? { total: 0 } : counts,
      connected,
      about: title,
    }),
    standingOf(named === null ? { total: 0 } : counts, connected),
  );
  const changeable = isServed && server?.readOnly === false;
  useKeys([
    ...PLACES.flatMap(({ view, title, key }) => [{
      keys: `g ${key}`,
      about: `go to ${title}`,
      run: () => named !== null && go({ view, workspace: named }),
    }]),
    { keys: "g w", about: "go to Workspaces", run: () => go({ view: "workspaces" }) },
    { keys: "n", about: "new task", run: () => changeable && open("new") },
    { keys: "?", about: "these keys", run: () => open("help") },
  ]);
  return (
    <>
      <a class="skip" href="#main">To the content</a>
      <header class="bar">
        <Where />
        {named !== null && !isMissing && (
          <nav aria-label="Views">
            {PLACES.map(({ view, title, key }) => (
              <a
                key={view}
                href={href({ view, workspace: named })}
                aria-current={place.view === view ? "page" : undefined}
                title={`g ${key}`}
              >
                {title}
              </a>
            ))}
          </nav>
        )}
        <div class="tools">
          {changeable && named !== null && (
            <>
              <RunButton workspace={named} quiet />
              <button type="button" title="n" onClick={() => open("new")}>
                <span aria-hidden="true">+</span> <span class="long">New task</span>
                <span class="short">New</span>
              </button>
            </>
          )}
          <Connection />
          <Habits onHelp={() => open("help")} />
        </div>
      </header>
      <main id="main" tabIndex={-1} class={`view-${place.view}`}>
        <Shown key={workspace} />
      </main>
      <Toasts />
      {box === "help" && <Help onClose={() => open(null)} />}
      {box === "new" && changeable && named !== null && (
        <NewTask
          workspace={named}
          onClose={() => open(null)}
        />
      )}
    </>
  );
}

/** Where an address leads that names no view. */
function NoPage(): JSX.Element {
  const { workspace } = usePlace();
  const back: GivenPlace = workspace === null ? { view: "home" } : { view: "now", workspace };
  return (
    <div class="empty">
      <h1>There is no such page</h1>
      <p>
        <a href={href(back)}>{workspace === null ? "To the workspaces" : `To ${workspace}`}</a>
      </p>
    </div>
  );
}

/** What is shown until the server has said which workspaces it has. */
function NoServer(): JSX.Element {
  const { problem } = useServer();
  return problem === null
    ? <p class="muted empty">Reading …</p>
    : <p class="notice failed" role="alert">{problem}</p>;
}

/** Where an address leads that names a workspace which is not served. */
function NoWorkspace(): JSX.Element {
  const { workspace } = usePlace();
  return (
    <div class="empty">
      <h1>This server has no workspace {workspace}</h1>
      <p>
        <a href={href({ view: "workspaces" })}>See those that it has</a>
      </p>
    </div>
  );
}

/** The workspace, and the way to others. */
function Where(): JSX.Element {
  const { workspaces } = useServer();
  const { workspace } = usePlace();
  if (workspaces.length < 2 || !workspaces.some(({ name }) => name === workspace)) {
    return <a class="where" href="/workspaces">{workspace ?? "Orchestra"}</a>;
  }
  return (
    <div class="where">
      <select
        aria-label="Workspace"
        value={workspace ?? ""}
        onChange={(event) => go({ view: "now", workspace: event.currentTarget.value })}
      >
        {workspaces.map(({ name }) => <option key={name} value={name}>{name}</option>)}
      </select>
    </div>
  );
}

function Connection(): JSX.Element {
  const { connected, server } = useServer();
  return (
    <span class={connected ? "connection" : "connection lost"} role="status">
      <span class="dot" aria-hidden="true" />
      <span class={connected ? "long" : ""}>
        {connected ? (server?.readOnly ? "read-only" : "live") : "not connected"}
      </span>
    </span>
  );
}

/** What a user sets up once. */
function Habits({ onHelp }: { onHelp: () => void }): JSX.Element {
  const { theme } = useTheme();
  const notify = useNotify();
  const { server } = useServer();
  return (
    <Popup label="Settings" shown="⋯">
      <label>
        <span class="grow">Colours</span>
        <select
          value={theme}
          onChange={(event) => setTheme(event.currentTarget.value as Theme)}
        >
          {THEMES.map((name) => <option key={name} value={name}>{name}</option>)}
        </select>
      </label>
      {notify !== null && (
        <label title="When something fails or the queue comes to rest, while this tab is not looked at">
          <input type="checkbox" checked={notify.wanted} onChange={notify.flip} />
          <span class="grow">Notifications</span>
        </label>
      )}
      <button type="button" class="quiet" onClick={onHelp}>
        Keys <kbd>?</kbd>
      </button>
      {server !== null && <p class="muted">Orchestra {server.version}</p>}
    </Popup>
  );
}
