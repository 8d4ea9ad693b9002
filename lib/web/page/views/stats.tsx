/// <reference lib="dom" />
import type { JSX } from "preact";

export default function Stats(): JSX.Element {
  return <h1>Stats</h1>;
}
