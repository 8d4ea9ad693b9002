// Which tasks of a list are selected: by click, from one to another, one by one. Pure.

/** What is selected. */
export interface Selection {
  readonly ids: ReadonlySet<string>;
  /** What was selected last: a range goes from it. */
  readonly anchor: string | null;
}

/** Nothing. */
export const NOTHING: Selection = { ids: new Set(), anchor: null };

/** The selection with one more, or one less. */
export function toggle({ ids }: Selection, id: string): Selection {
  const changed = new Set(ids);
  if (!changed.delete(id)) changed.add(id);
  return { ids: changed, anchor: id };
}

/**
 * The selection with all from the one that was selected last up to this one.
 *
 * @param order what the list shows, from the top
 */
export function extend(selection: Selection, id: string, order: readonly string[]): Selection {
  const from = selection.anchor === null ? -1 : order.indexOf(selection.anchor);
  const to = order.indexOf(id);
  if (from < 0 || to < 0) return toggle(selection, id);
  const [first, last] = from < to ? [from, to] : [to, from];
  const ids = new Set([...selection.ids, ...order.slice(first, last + 1)]);
  return { ids, anchor: selection.anchor };
}

/** The selection without what the list does not show any more; the same object where that is nothing. */
export function prune(selection: Selection, shown: ReadonlySet<string>): Selection {
  const left = [...selection.ids].filter((id) => shown.has(id));
  return left.length === selection.ids.size ? selection : { ...selection, ids: new Set(left) };
}
