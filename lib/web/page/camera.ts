// What part of a drawing is seen, and how large: zooming about a point, moving, fitting. Pure.

/** A point of the drawing at `(px, py)` stands at `(px * scale + x, py * scale + y)` of the window. */
export interface Camera {
  readonly x: number;
  readonly y: number;
  readonly scale: number;
}

export interface Size {
  readonly width: number;
  readonly height: number;
}

const SMALLEST = 0.04;
const LARGEST = 2.5;
/** Room around a drawing that is fitted, pixels. */
const MARGIN = 24;
/** Letters can be read from this scale on. */
const READABLE = 0.7;
/** A drawing that is larger than so many windows is shown as a whole, to find one's way. */
const MOST_VIEWS = 2.5;

/** A drawing that is fitted is no larger than this. */
const LARGEST_FIT = 1.5;

/** The whole drawing; a small one somewhat larger than it was drawn. */
export function fit(drawing: Size, view: Size): Camera {
  const scale = clamp(
    Math.min(
      LARGEST_FIT,
      (view.width - 2 * MARGIN) / Math.max(1, drawing.width),
      (view.height - 2 * MARGIN) / Math.max(1, drawing.height),
    ),
  );
  return {
    scale,
    x: (view.width - drawing.width * scale) / 2,
    y: (view.height - drawing.height * scale) / 2,
  };
}

/** Where one begins: the whole drawing, or its upper left part where all of it would be too small to be read. */
export function begin(drawing: Size, view: Size): Camera {
  const whole = fit(drawing, view);
  const near = (drawn: number, seen: number) => drawn * READABLE <= MOST_VIEWS * seen;
  const isNear = near(drawing.width, view.width) && near(drawing.height, view.height);
  if (whole.scale >= READABLE || !isNear) return whole;
  const start = (drawn: number, seen: number) => Math.max(MARGIN, (seen - drawn * READABLE) / 2);
  return {
    scale: READABLE,
    x: start(drawing.width, view.width),
    y: start(drawing.height, view.height),
  };
}

/** Larger or smaller by a factor; what stands at a point of the window stays there. */
export function zoom({ x, y, scale }: Camera, factor: number, atX: number, atY: number): Camera {
  const next = clamp(scale * factor);
  const by = next / scale;
  return { scale: next, x: atX - (atX - x) * by, y: atY - (atY - y) * by };
}

export function pan(camera: Camera, byX: number, byY: number): Camera {
  return { ...camera, x: camera.x + byX, y: camera.y + byY };
}

/** Moved no further than it takes to see a rectangle of the drawing. */
export function reveal(
  camera: Camera,
  { x, y, width, height }: Size & { readonly x: number; readonly y: number },
  view: Size,
): Camera {
  const move = (from: number, to: number, room: number) =>
    from < MARGIN ? MARGIN - from : to > room - MARGIN ? room - MARGIN - to : 0;
  const { scale } = camera;
  const left = x * scale + camera.x;
  const top = y * scale + camera.y;
  return pan(
    camera,
    move(left, left + width * scale, view.width),
    move(top, top + height * scale, view.height),
  );
}

function clamp(scale: number): number {
  return Math.min(LARGEST, Math.max(SMALLEST, scale));
}
