// Single keys in a live view.

/** Calls back on `q` or Ctrl+C; undefined where keys cannot be read one by one. */
export function readKeys(leave: () => void): { close(): void } | undefined {
  if (!Deno.stdin.isTerminal()) return undefined;
  let open = true;
  (async () => {
    const buffer = new Uint8Array(16);
    while (open) {
      const count = await Deno.stdin.read(buffer);
      if (count === null) return;
      const text = new TextDecoder().decode(buffer.subarray(0, count));
      if (text.includes("q") || text.includes("\x03")) return leave();
    }
  })().catch(() => {});
  return {
    close() {
      open = false;
    },
  };
}
