// What a receiver of OTLP/HTTP with JSON accepts, checked strictly: every field is known, every id, number
// and time has the form that the protocol gives it.

/** A span as it arrived. */
export interface ReceivedSpan {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  kind: number;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  /** By key: what the value says, 64 bits as a text. */
  attributes: Record<string, string | number>;
  status: { code?: number; message?: string };
}

/** What arrived, or an error that says where it is not as the protocol wants it. */
export interface Received {
  resource: Record<string, string | number>;
  spans: ReceivedSpan[];
}

type Check = (value: unknown, where: string) => void;

function fail(where: string, value: unknown): never {
  throw new Error(`${where}: ${JSON.stringify(value)}`);
}

const text: Check = (value, where) => {
  if (typeof value !== "string" || !value.isWellFormed()) fail(where, value);
};
const filled: Check = (value, where) => {
  text(value, where);
  if (value === "") fail(where, value);
};
/** Bytes in hex, not all of them zero. */
const id = (bytes: number): Check => (value, where) => {
  const isId = typeof value === "string" && new RegExp(`^[0-9a-f]{${2 * bytes}}$`).test(value) &&
    !/^0+$/.test(value);
  if (!isId) fail(where, value);
};
const oneOf = (...allowed: unknown[]): Check => (value, where) => {
  if (!allowed.includes(value)) fail(where, value);
};
/** 64 bits without sign, in decimal digits. */
const fixed64: Check = (value, where) => {
  const isOne = typeof value === "string" && /^(?:0|[1-9]\d*)$/.test(value) &&
    BigInt(value) < 2n ** 64n;
  if (!isOne) fail(where, value);
};
const int64: Check = (value, where) => {
  const isOne = typeof value === "string" && /^(?:0|-?[1-9]\d*)$/.test(value) &&
    BigInt.asIntN(64, BigInt(value)) === BigInt(value);
  if (!isOne) fail(where, value);
};
const double: Check = (value, where) => {
  if (typeof value !== "number" || !Number.isFinite(value)) fail(where, value);
};

/** An object with these fields and no other; those that end in `?` may be absent. */
function object(value: unknown, where: string, fields: Record<string, Check>): void {
  if (typeof value !== "object" || value === null || Array.isArray(value)) fail(where, value);
  const its = value as Record<string, unknown>;
  for (const name of Object.keys(its)) {
    if (!(name in fields) && !(`${name}?` in fields)) {
      fail(`${where}.${name} is unknown`, its[name]);
    }
  }
  for (const [field, check] of Object.entries(fields)) {
    const name = field.replace("?", "");
    if (name in its) check(its[name], `${where}.${name}`);
    else if (!field.endsWith("?")) fail(`${where}.${name} is missing`, value);
  }
}

const list = (check: Check): Check => (value, where) => {
  if (!Array.isArray(value)) fail(where, value);
  value.forEach((item, at) => check(item, `${where}[${at}]`));
};

const attribute: Check = (value, where) =>
  object(value, where, {
    key: filled,
    value(inner, there) {
      object(inner, there, { "stringValue?": text, "intValue?": int64, "doubleValue?": double });
      if (Object.keys(inner as object).length !== 1) fail(there, inner);
    },
  });

const attributes: Check = (value, where) => {
  list(attribute)(value, where);
  const keys = (value as { key: string }[]).map(({ key }) => key);
  if (new Set(keys).size !== keys.length) fail(`${where}: a key is there twice`, keys);
};

const span: Check = (value, where) => {
  object(value, where, {
    traceId: id(16),
    spanId: id(8),
    "parentSpanId?": id(8),
    name: filled,
    kind: oneOf(1, 2, 3, 4, 5),
    startTimeUnixNano: fixed64,
    endTimeUnixNano: fixed64,
    attributes,
    status: (inner, there) => object(inner, there, { "code?": oneOf(0, 1, 2), "message?": text }),
  });
  const { startTimeUnixNano, endTimeUnixNano } = value as ReceivedSpan;
  if (BigInt(startTimeUnixNano) > BigInt(endTimeUnixNano)) fail(`${where} ends before`, value);
};

interface Wire {
  key: string;
  value: Record<string, string | number>;
}

function byKey(wire: Wire[]): Record<string, string | number> {
  return Object.fromEntries(wire.map(({ key, value }) => [key, Object.values(value)[0]!]));
}

/** Takes the body of a request, as text. */
export function receive(body: string): Received {
  const request: unknown = JSON.parse(body);
  object(request, "request", {
    resourceSpans: list((value, where) =>
      object(value, where, {
        resource: (inner, there) => object(inner, there, { attributes }),
        scopeSpans: list((inner, there) =>
          object(inner, there, {
            scope: (scope, at) => object(scope, at, { name: filled, version: filled }),
            spans: list(span),
            schemaUrl: filled,
          })
        ),
        schemaUrl: filled,
      })
    ),
  });
  const { resourceSpans } = request as {
    resourceSpans: {
      resource: { attributes: Wire[] };
      scopeSpans: { spans: (Omit<ReceivedSpan, "attributes"> & { attributes: Wire[] })[] }[];
    }[];
  };
  const [only] = resourceSpans;
  const spans = only!.scopeSpans.flatMap((scope) => scope.spans).map((one) => ({
    ...one,
    attributes: byKey(one.attributes),
  }));
  const ids = spans.map(({ traceId, spanId }) => traceId + spanId);
  if (new Set(ids).size !== ids.length) fail("a span is there twice", ids);
  return { resource: byKey(only!.resource.attributes), spans };
}
