/**
 * `linux.resources.unified`: files of cgroup v2 by name, and what to write into them.
 *
 * @see config-linux.md, Unified
 * @module
 */

import { invalidKey, type Write } from '../write.ts';

/**
 * Files that would take the container out of the runtime's hands: who is in its cgroup, and whether they may run. A
 * frozen init would never come up.
 */
const RESERVED = ['cgroup.procs', 'cgroup.threads', 'cgroup.freeze', 'cgroup.kill'];

/**
 * The writes, in the map's order. A value of several lines is written line by line, as files with a line for each
 * device want it.
 *
 * @throws RuntsError E_CONFIG_INVALID for a key that is no file of a controller
 */
export function unified(files: Readonly<Record<string, string>>): Write[] {
  return Object.entries(files).flatMap(([file, text]) => {
    const field = `linux.resources.unified[${JSON.stringify(file)}]`;
    // Texts are runc's. What is wrong on every host is found earlier, but `update` comes here directly.
    if (file.includes('/')) {
      throw invalidKey(field, `unified resource ${JSON.stringify(file)} must be a file name (no slashes)`);
    }
    if (!/^[^.]+\../.test(file)) {
      throw invalidKey(
        field,
        `unified resource ${JSON.stringify(file)} must be in the form CONTROLLER.PARAMETER`,
      );
    }
    if (RESERVED.includes(file)) {
      throw invalidKey(
        field,
        `${field}: unified resource ${JSON.stringify(file)} can't be set: the runtime uses it itself`,
      );
    }
    const lines = text.split('\n').filter((line) => line !== '');
    return (lines.length === 0 ? [''] : lines).map((value) => ({ file, value, field }));
  });
}
