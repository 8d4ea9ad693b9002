/// <reference lib="dom" />
// The entry of the page: gets in by the token of the address, starts what lives as long as the tab, and
// draws.

import { render } from "preact";
import { App } from "./app.tsx";
import { getIn } from "./session.tsx";
import { startKeys } from "./parts/keys.ts";
import { startRouter } from "./router.ts";
import { startTheme } from "./theme.ts";

startTheme();
startRouter();
startKeys();
await getIn();
render(<App />, document.getElementById("app")!);
