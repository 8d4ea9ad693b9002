/// <reference lib="dom" />
import type { JSX } from "preact";

export default function Agents(): JSX.Element {
  return <h1>Agents</h1>;
}
