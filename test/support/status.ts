/**
 * Reading what the kernel says of a process and of mounts.
 *
 * @module
 */

/** proc_pid_status(5): values by name. */
export function statusFields(text: string): Record<string, string> {
  return Object.fromEntries(
    text
      .split('\n')
      .filter((line) => line.includes(':'))
      .map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()]),
  );
}

/** The five sets of capabilities in the text of a status file, as hexadecimal numbers. */
export function capabilitySets(text: string): Record<'inh' | 'prm' | 'eff' | 'bnd' | 'amb', bigint> {
  const fields = statusFields(text);
  const set = (name: string): bigint => BigInt(`0x${fields[name]}`);
  return {
    inh: set('CapInh'),
    prm: set('CapPrm'),
    eff: set('CapEff'),
    bnd: set('CapBnd'),
    amb: set('CapAmb'),
  };
}

/** A line of proc_pid_mountinfo(5). */
export interface MountLine {
  id: number;
  parent: number;
  root: string;
  point: string;
  /** Options of the mount. */
  options: string[];
  /** `shared`, `master`, `unbindable`: without the numbers. */
  propagation: string[];
  type: string;
  source: string;
  /** Options of the file system. */
  superOptions: string[];
}

function unescapePath(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

export function parseMountinfo(text: string): MountLine[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [before = '', after = ''] = line.split(' - ');
      const [id, parent, , root = '', point = '', options = '', ...optional] = before.split(' ');
      const [type = '', source = '', superOptions = ''] = after.split(' ');
      return {
        id: Number(id),
        parent: Number(parent),
        root: unescapePath(root),
        point: unescapePath(point),
        options: options.split(','),
        propagation: optional.map((field) => field.replace(/:.*/, '')),
        type,
        source: unescapePath(source),
        superOptions: superOptions.split(','),
      };
    });
}

/** The topmost mount at a place. */
export function mountAt(mounts: readonly MountLine[], point: string): MountLine {
  const found = mounts.findLast((mount) => mount.point === point);
  if (found === undefined) throw new Error(`nothing is mounted at ${point}`);
  return found;
}
