/** What is wrong with an element's attribute or property, on the console: the same sentence once for each element. */

const warnings = new WeakMap<Element, Set<string>>();

/** @param given - what the page said */
export function warnOfLatency(element: Element, given: unknown): void {
  const got = String(given).slice(0, 40);
  warnOnce(element, `latency has to be "low", "balanced", "smooth" or milliseconds up to 30000 (got "${got}").`);
}

/** @param given - what the page said */
export function warnOfVolume(element: Element, given: unknown): void {
  warnOnce(element, `volume has to be a number from 0 to 1 (got ${String(given).slice(0, 40)}).`);
}

/** HTML's boolean attributes are true when present, whatever they say; "false" is most likely meant otherwise. */
export function warnOfFalse(element: Element, name: string): void {
  warnOnce(element, `${name}="false" switches ${name} on, as any value does; leave the attribute out.`);
}

/** @param message - without what may be a secret */
function warnOnce(element: Element, message: string): void {
  const said = warnings.get(element) ?? new Set();
  if (said.has(message)) return;
  warnings.set(element, said.add(message));
  // biome-ignore lint/suspicious/noConsole: the page's author is the reader, and has no logger here
  console.warn(`<${element.localName}>: ${message}`, element);
}
