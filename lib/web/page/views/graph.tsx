/// <reference lib="dom" />
import type { JSX } from "preact";

export default function Graph(): JSX.Element {
  return <h1>Graph</h1>;
}
