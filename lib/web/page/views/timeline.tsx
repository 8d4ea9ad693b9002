/// <reference lib="dom" />
import type { JSX } from "preact";

export default function Timeline(): JSX.Element {
  return <h1>Timeline</h1>;
}
