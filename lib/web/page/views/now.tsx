/// <reference lib="dom" />
import type { JSX } from "preact";

export default function Now(): JSX.Element {
  return <h1>Now</h1>;
}
