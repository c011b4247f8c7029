/**
 * Paths as text: what of node:path's posix commands use, for engines that lack it.
 *
 * @module
 */

export function isAbsolute(path: string): boolean {
  return path.startsWith('/');
}

/** Without `.`, `..` and repeated slashes as far as the text alone allows; a slash at the end stays. `.` for nothing. */
export function normalize(path: string): string {
  if (path === '') return '.';
  // Most are clean: nothing is to be done to a path without `//` and components that begin with a dot.
  if (path[0] !== '.' && !path.includes('//') && !path.includes('/.')) return path;
  const absolute = isAbsolute(path);
  const names: string[] = [];
  for (const name of path.split('/')) {
    if (name === '' || name === '.') continue;
    if (name !== '..') names.push(name);
    else if (names.length > 0 && names[names.length - 1] !== '..') names.pop();
    else if (!absolute) names.push(name);
  }
  const clean = names.join('/');
  const end = path.endsWith('/') ? '/' : '';
  if (absolute) return clean === '' ? '/' : `/${clean}${end}`;
  return clean === '' ? `.${end}` : clean + end;
}

/** The paths one after another, as components of one path. */
export function join(...paths: readonly string[]): string {
  let joined = '';
  for (const path of paths) {
    if (path !== '') joined = joined === '' ? path : `${joined}/${path}`;
  }
  return normalize(joined);
}

/** The path that is reached by going to each in turn, from the working directory; absolute, without a slash at the end. */
export function resolve(...paths: readonly string[]): string {
  let reached = '';
  for (const path of paths) {
    if (path !== '') reached = isAbsolute(path) || reached === '' ? path : `${reached}/${path}`;
  }
  if (!isAbsolute(reached)) reached = `${process.cwd()}/${reached}`;
  const clean = normalize(reached);
  return clean.length > 1 && clean.endsWith('/') ? clean.slice(0, -1) : clean;
}

/** What stands before the last component. */
export function dirname(path: string): string {
  const end = endOf(path);
  const slash = path.lastIndexOf('/', end - 1);
  if (end === 0) return path === '' ? '.' : '/';
  if (slash < 0) return '.';
  const folder = path.slice(0, endOf(path.slice(0, slash)));
  return folder === '' ? '/' : folder;
}

/** The last component. */
export function basename(path: string): string {
  const end = endOf(path);
  return path.slice(path.lastIndexOf('/', end - 1) + 1, end);
}

/** Where the slashes at the end begin. */
function endOf(path: string): number {
  let end = path.length;
  while (end > 0 && path[end - 1] === '/') end--;
  return end;
}
