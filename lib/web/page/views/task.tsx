/// <reference lib="dom" />
import type { JSX } from "preact";

export default function Task(): JSX.Element {
  return <h1>Task</h1>;
}
