// The signature of Standard Webhooks 1.0: HMAC-SHA256 over id, time and body. Only the process that sends
// has the secrets.

/** A secret's bytes: `whsec_` stands before Base64, anything else is taken as it is. */
function bytesOf(secret: string): Uint8Array<ArrayBuffer> {
  if (!secret.startsWith("whsec_")) return new TextEncoder().encode(secret);
  return Uint8Array.fromBase64(secret.slice("whsec_".length));
}

/** Whether a text can be signed with. */
export function isSecret(text: string): boolean {
  try {
    return bytesOf(text).length > 0;
  } catch {
    return false;
  }
}

/**
 * The value of `webhook-signature`: one signature for each secret, so that a receiver which knows one of
 * them accepts it.
 *
 * @param timestamp seconds since the epoch
 */
export async function sign(
  secrets: readonly string[],
  id: string,
  timestamp: number,
  body: string,
): Promise<string> {
  const content = new TextEncoder().encode(`${id}.${timestamp}.${body}`);
  const signatures = await Promise.all(secrets.map(async (secret) => {
    const algorithm = { name: "HMAC", hash: "SHA-256" };
    const key = await crypto.subtle.importKey("raw", bytesOf(secret), algorithm, false, ["sign"]);
    const signature = await crypto.subtle.sign("HMAC", key, content);
    return `v1,${new Uint8Array(signature).toBase64()}`;
  }));
  return signatures.join(" ");
}
