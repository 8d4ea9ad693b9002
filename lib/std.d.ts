// Types of the few functions in use from the Deno standard library, whose npm republication
// (deno-std) ships none. One declaration per import-map entry is enough: each importing module
// names this file with @ts-types.
export function unicodeWidth(text: string): number;
export function levenshteinDistance(a: string, b: string): number;
export function isAbsolute(path: string): boolean;
export function normalize(path: string): string;
export function bold(text: string): string;
export function dim(text: string): string;
export function red(text: string): string;
export function green(text: string): string;
export function yellow(text: string): string;
export function blue(text: string): string;
export function magenta(text: string): string;
export function cyan(text: string): string;
export function gray(text: string): string;
export function setColorEnabled(enabled: boolean): void;
