// Paths of files beside the tests, as programs take them.

/** Path of what a URL of a file names: on Windows from the drive's letter on, with `/`. */
export function filePath(url: URL): string {
  return decodeURIComponent(url.pathname).replace(/^\/(?=[a-z]:\/)/i, "");
}
