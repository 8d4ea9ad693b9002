/// <reference lib="dom" />
import type { JSX } from "preact";

export default function Workspaces(): JSX.Element {
  return <h1>Workspaces</h1>;
}
