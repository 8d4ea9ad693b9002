// A strict reader of XML, for the tests of what we write in it.

/** An element of a document. */
export interface Element {
  name: string;
  attributes: Record<string, string>;
  children: Element[];
  /** Text directly in it. */
  text: string;
}

const ENTITIES: Record<string, string> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

/**
 * Reads the part of XML 1.0 that we write, and throws where a conforming parser would:
 * one root, tags that match, each attribute once and in double quotes, known entities, no `<` in a
 * value, no `]]>` in a text, and only the characters that XML allows.
 */
export function readXml(source: string): Element {
  const prolog = '<?xml version="1.0" encoding="UTF-8"?>\n';
  if (!source.startsWith(prolog)) throw new Error("no XML declaration at the very start");
  const bad = /[^\t\n\r\x20-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u.exec(source);
  if (bad !== null) throw new Error(`a character that XML does not have: ${escape(bad[0])}`);
  const decode = (text: string) => {
    if (/&(?!(?:amp|lt|gt|quot|apos);)/.test(text)) throw new Error(`an unknown entity: ${text}`);
    return text.replace(/&(\w+);/g, (_, name) => ENTITIES[name]!);
  };
  const top: Element = { name: "", attributes: {}, children: [], text: "" };
  const open = [top];
  const token = /<(\/?)([A-Za-z_][\w.-]*)((?:\s+[\w:.-]+="[^"<]*")*)\s*(\/?)>|([^<]+)/gy;
  token.lastIndex = prolog.length;
  for (let at = prolog.length; at < source.length; at = token.lastIndex) {
    const found = token.exec(source);
    if (found === null) throw new Error(`no markup: ${JSON.stringify(source.slice(at, at + 80))}`);
    const [, close, name = "", list = "", empty, text] = found;
    const parent = open.at(-1)!;
    if (text !== undefined) {
      if (text.includes("]]>")) throw new Error("]]> in a text");
      parent.text += decode(text);
    } else if (close) {
      if (open.pop()!.name !== name || list !== "" || empty) throw new Error(`</${name}> too many`);
    } else {
      const attributes: Record<string, string> = {};
      for (const [, key, value] of list.matchAll(/([\w:.-]+)="([^"]*)"/g)) {
        if (Object.hasOwn(attributes, key!)) throw new Error(`${key} stands twice in <${name}>`);
        attributes[key!] = decode(value!);
      }
      const element = { name, attributes, children: [], text: "" };
      parent.children.push(element);
      if (!empty) open.push(element);
    }
  }
  if (open.length !== 1) throw new Error(`<${open.at(-1)!.name}> is not closed`);
  if (top.children.length !== 1 || top.text.trim() !== "") throw new Error("more than one root");
  return top.children[0]!;
}
