// Whether a page sticks out of its window.

/// <reference lib="dom" />

import type { Tab } from "./browser.ts";

/** Elements that are wider than the window, where it can be scrolled sideways. */
export function overflow(tab: Tab): Promise<string[]> {
  return tab.page.evaluate(() => {
    const { scrollWidth, clientWidth } = document.documentElement;
    if (scrollWidth <= clientWidth) return [];
    return [...document.body.querySelectorAll("*")]
      .filter((element) => element.getBoundingClientRect().right > clientWidth + 1)
      .slice(0, 5)
      .map((element) => `<${element.tagName.toLowerCase()} class="${element.className}">`)
      .concat(`${scrollWidth} wide, of ${clientWidth}`);
  });
}
