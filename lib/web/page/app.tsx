/// <reference lib="dom" />
// The frame of the page: where one can go, how it stands, and the view that the address names.

import type { ComponentType, JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { onSignedOut } from "./api.ts";
import { Toasts } from "./parts/toasts.tsx";
import { go, usePlace, type View } from "./router.ts";
import { SignIn } from "./session.tsx";
import { startState, useServer } from "./state.ts";
import Agents from "./views/agents.tsx";
import Graph from "./views/graph.tsx";
import Now from "./views/now.tsx";
import Stats from "./views/stats.tsx";
import Task from "./views/task.tsx";
import Timeline from "./views/timeline.tsx";
import Workspaces from "./views/workspaces.tsx";

const VIEWS: Readonly<Record<View, ComponentType>> = {
  now: Now,
  task: Task,
  graph: Graph,
  timeline: Timeline,
  stats: Stats,
  agents: Agents,
  workspaces: Workspaces,
  home: Workspaces,
};

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

function Frame(): JSX.Element {
  const place = usePlace();
  const { workspaces } = useServer();
  useEffect(() => {
    const [only] = workspaces;
    if (place.view !== "home" || only === undefined) return;
    if (workspaces.length > 1) go({ view: "workspaces" }, { replace: true });
    else go({ view: "now", workspace: only.name }, { replace: true });
  }, [place.view, workspaces]);
  const View = VIEWS[place.view];
  return (
    <>
      <main id="main" tabIndex={-1}>
        <View />
      </main>
      <Toasts />
    </>
  );
}
