/**
 * The runtime's own mounts: proc_pid_mountinfo(5).
 *
 * @module
 */

import { readFileSync, realpathSync } from '#files';

/** A mount as mountinfo has it. */
export interface MountLine {
  id: number;
  /** Of the file system, as `8:1`. */
  device: string;
  /** What of the file system is mounted: `/` for all of it. */
  root: string;
  point: string;
  type: string;
}

/** Parses the text of /proc/PID/mountinfo; spaces and the like are octal escapes there. */
export function parse(mountinfo: string): MountLine[] {
  const plain = (field: string): string =>
    field.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
  return mountinfo.split('\n').flatMap((line) => {
    const fields = line.split(' ');
    const type = fields[fields.indexOf('-') + 1];
    if (fields.length < 7) return [];
    const [id, , device = '', root = '', point = ''] = fields;
    return [{ id: Number(id), device, root: plain(root), point: plain(point), type: type ?? '' }];
  });
}

/** Whether a path is a folder or in it; both absolute and clean. */
export function isWithin(path: string, folder: string): boolean {
  return path === folder || folder === '/' || path.startsWith(`${folder}/`);
}

/** The mount point that holds a path. */
export function mountOf(path: string): string {
  return longestPrefix(readFileSync('/proc/self/mountinfo', 'utf8'), realpathSync(path));
}

/** As mountOf, of given text: the longest mount point that the path is in. */
export function longestPrefix(mountinfo: string, path: string): string {
  let longest = '/';
  for (const { point } of parse(mountinfo))
    if (point.length > longest.length && isWithin(path, point)) longest = point;
  return longest;
}

/**
 * Where all of a proc or sysfs is mounted outside of a container's root, the latest mount first.
 *
 * @param rootfs - absolute path
 */
export function kernelMounts(
  rootfs: string,
  mountinfo: string = readFileSync('/proc/self/mountinfo', 'utf8'),
): string[] {
  return parse(mountinfo)
    .filter(
      ({ root, point, type }) =>
        root === '/' && (type === 'proc' || type === 'sysfs') && !isWithin(point, rootfs),
    )
    .map(({ point }) => point)
    .reverse();
}

/** How many mounts lie on top of each other at a mount point. */
export function mountsAt(
  point: string,
  mountinfo: string = readFileSync('/proc/self/mountinfo', 'utf8'),
): number {
  return parse(mountinfo).filter((line) => line.point === point).length;
}
