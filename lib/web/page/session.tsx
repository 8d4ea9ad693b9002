/// <reference lib="dom" />
// Getting in: the token in the fragment of the address, which no server and no log sees, is exchanged once
// for a cookie that scripts cannot read. Where there is neither, the page says how to get in. The browser
// may have noted the address as it was opened, with the token, in its history.

import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { ApiError, openSession, sayError } from "./api.ts";
import { tokenIn } from "./token.ts";

/** Takes the token out of the address and exchanges it; nothing where there is none. */
export async function getIn(): Promise<void> {
  const token = tokenIn(location.hash.slice(1));
  if (token === null) return;
  // At once, so that the way back does not lead to it, and it is not in what is copied from the address bar.
  // What the browser noted when the address was opened is beyond our reach.
  history.replaceState(null, "", location.pathname + location.search);
  try {
    await openSession(token);
  } catch {
    // The first request tells: 401 where there is no cookie from before either.
  }
}

/** Says how to get in, and takes a token. */
export function SignIn({ onIn }: { onIn: () => void }): JSX.Element {
  const [problem, setProblem] = useState<string | null>(null);
  return (
    <main class="sign-in">
      <h1>This browser is not known to the server</h1>
      <p>
        It was started anew, or this is another browser. Open the address that{" "}
        <code>orchestra serve</code> prints: it holds a token. <code>orchestra serve --open</code>
        {" "}
        opens it by itself.
      </p>
      <form
        onSubmit={async (event) => {
          event.preventDefault();
          const text = String(new FormData(event.currentTarget).get("token") ?? "");
          const token = tokenIn(text);
          if (token === null) return setProblem("That is neither a token nor an address with one");
          try {
            await openSession(token);
            onIn();
          } catch (error) {
            const refused = error instanceof ApiError && error.status === 401;
            setProblem(refused ? "The server does not know that token" : sayError(error));
          }
        }}
      >
        <label for="token">Or paste the token, or the whole address, here</label>
        <div class="row">
          <input
            id="token"
            name="token"
            type="password"
            autocomplete="off"
            required
            aria-invalid={problem !== null}
            aria-describedby="token-problem"
          />
          <button type="submit" class="primary">Get in</button>
        </div>
        <p id="token-problem" class="wrong" role="alert">{problem}</p>
      </form>
    </main>
  );
}
