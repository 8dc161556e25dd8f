/** Query parameters that a page may add to a camera's URL, a recorder's start time for example, if the configuration lists them. */

/**
 * The parameters of a page's query that are listed.
 * @param query - as the page wrote it, without the question mark
 */
export function allowedQuery(query: string, listed: ReadonlySet<string>): [name: string, value: string][] {
  return [...new URLSearchParams(query)].filter(([name]) => listed.has(name));
}

/** The URL with these parameters; those of the same names that it had are replaced, the rest stays as it is written. */
export function addQuery(url: string, parameters: readonly (readonly [name: string, value: string])[]): string {
  if (parameters.length === 0) return url;
  const question = url.indexOf('?');
  const names = new Set(parameters.map(([name]) => name));
  const kept = (question < 0 ? '' : url.slice(question + 1))
    .split('&')
    .filter((part) => part !== '' && !names.has(part.split('=', 1)[0] ?? ''));
  const added = parameters.map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`);
  return `${question < 0 ? url : url.slice(0, question)}?${[...kept, ...added].join('&')}`;
}
