// The API as an OpenAPI 3.1 document: what docs/openapi.json has, and what the server tells. It follows from
// the table of routes and the schemas. Pure.

import { VERSION } from "../task/version.ts";
import { pathOf, type QueryPart, type Route } from "./routes.ts";
import { ref, SCHEMAS } from "./schemas.ts";

/** The document. */
export function openApi(routes: readonly Route[]): Record<string, unknown> {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of routes) {
    const path = paths[pathOf(route)] ??= {};
    path[route.method.toLowerCase()] = operation(route);
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "Orchestra",
      version: VERSION,
      description: "A task queue for command-line AI coding agents: docs/api.md says how to ask.",
      license: { name: "MIT", identifier: "MIT" },
    },
    servers: [
      { url: "http://127.0.0.1:7450", description: "with the token" },
      {
        url: "http://127.0.0.1:7450{base}",
        description: "with the cookie",
        variables: {
          base: { default: "/s/0", description: "as POST /api/v1/session answered it" },
        },
      },
    ],
    security: [{ bearer: [] }, { cookie: [] }],
    paths,
    components: {
      schemas: SCHEMAS,
      securitySchemes: {
        bearer: { type: "http", scheme: "bearer" },
        cookie: {
          type: "apiKey",
          in: "cookie",
          name: "orchestra-7450",
          description:
            "set by POST /api/v1/session; its name ends with the port, and it is sent and " +
            "taken below the base of that answer alone",
        },
      },
    },
  };
}

function operation(route: Route): Record<string, unknown> {
  const { brief, body, answer, token = true, query = {}, changes } = route;
  const { status = 200, type = "application/json", schema } = answer;
  return {
    operationId: operationId(route),
    summary: brief,
    ...(token ? {} : { security: [] }),
    parameters: [
      ...[...pathOf(route).matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
        name,
        in: "path",
        required: true,
        schema: { type: "string" },
      })),
      ...Object.entries(query).map(([name, part]) => queryParameter(name, part)),
    ],
    ...(body === undefined
      ? {}
      : { requestBody: { required: changes, content: { "application/json": { schema: body } } } }),
    responses: {
      [status]: { description: "done", content: { [type]: { schema } } },
      default: {
        description: "refused, or not possible",
        content: { "application/json": { schema: ref("Error") } },
      },
    },
  };
}

function queryParameter(name: string, { about, schema, several = false }: QueryPart) {
  return {
    name,
    in: "query",
    description: about,
    schema: several ? { type: "array", items: schema } : schema,
  };
}

/** `GET /workspaces/{workspace}/tasks/{task}/log` is `getWorkspaceTaskLog`. */
function operationId({ method, path }: Route): string {
  const words = path.replace(/\.json$/, "").split("/").filter((part) => part !== "");
  const named = words.flatMap((word, at) =>
    word.startsWith("{") ? [] : [words[at + 1]?.startsWith("{") ? word.replace(/s$/, "") : word]
  );
  const parts = named.length === 0 ? ["server"] : named;
  return method.toLowerCase() +
    parts.map((word) => word[0]!.toUpperCase() + word.slice(1)).join("");
}
