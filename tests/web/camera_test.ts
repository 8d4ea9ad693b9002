// What is seen of a drawing.

import { assertEquals } from "../support/assert.ts";
import { begin, fit, pan, reveal, zoom } from "../../lib/web/page/camera.ts";

const VIEW = { width: 1000, height: 500 };

Deno.test("a drawing is fitted into the middle, and a small one is made half as large again at most", () => {
  assertEquals(fit({ width: 1904, height: 100 }, VIEW), { scale: 0.5, x: 24, y: 225 });
  assertEquals(fit({ width: 100, height: 100 }, VIEW), { scale: 1.5, x: 425, y: 175 });
});

Deno.test("zooming leaves what is under the pointer there, within bounds", () => {
  const camera = { scale: 1, x: 10, y: 20 };
  const near = zoom(camera, 2, 110, 220);
  assertEquals(near, { scale: 2, x: -90, y: -180 });
  assertEquals([(110 - near.x) / 2, (220 - near.y) / 2], [100, 200]);
  assertEquals(zoom(camera, 1e9, 0, 0).scale, 2.5);
});

Deno.test("what is to be seen is brought into sight, and what is seen does not move", () => {
  const camera = { scale: 1, x: 0, y: 0 };
  assertEquals(reveal(camera, { x: 300, y: 100, width: 100, height: 40 }, VIEW), camera);
  assertEquals(
    reveal(camera, { x: 1200, y: -50, width: 100, height: 40 }, VIEW),
    pan(camera, -324, 74),
  );
});

Deno.test("one begins where letters can be read, unless the drawing is much larger than the window", () => {
  assertEquals(begin({ width: 500, height: 300 }, VIEW).scale, 1.5);
  assertEquals(begin({ width: 2000, height: 100 }, VIEW), { scale: 0.7, x: 24, y: 215 });
  assertEquals(begin({ width: 9000, height: 100 }, VIEW), fit({ width: 9000, height: 100 }, VIEW));
});
