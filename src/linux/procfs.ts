/**
 * What /proc says of a process, by plain file reads: no native code, so that `state` and `list` stay cheap.
 *
 * @module
 */

import { readFileSync } from '#files';
import { errnoOf } from '../errors.ts';

/** The fields of `/proc/PID/stat` that the runtime uses; proc_pid_stat(5). */
export interface ProcessStat {
  pid: number;
  /** Name of the program, at most 15 bytes; may contain spaces, parentheses and newlines. */
  comm: string;
  /** One letter: R, S, D, T, t, I, Z (zombie), X (dead) ... */
  state: string;
  /** Process id of the parent; 0 when it is outside the pid namespace of the reader. */
  parentPid: number;
  /** Field 22: when the process started, in clock ticks after boot. With the pid it names a process for good. */
  startTime: number;
}

/**
 * Parses a line of `/proc/PID/stat`.
 *
 * The second field, the program's name in parentheses, is not escaped: a program may call itself `x) R (y`. So the
 * fields are counted from the last closing parenthesis.
 *
 * @returns undefined for a text that is no stat line
 */
export function parseStat(text: string): ProcessStat | undefined {
  const open = text.indexOf('(');
  const close = text.lastIndexOf(')');
  if (open < 0 || close < open) return undefined;
  const pid = Number.parseInt(text, 10);
  // fields[0] is field 3 (state), so field n is at n - 3.
  const fields = text.slice(close + 2).split(' ');
  const state = fields[0];
  const parentPid = Number(fields[1]);
  const startTime = Number(fields[19] ?? 'missing');
  if (!state || !Number.isInteger(pid) || !Number.isInteger(parentPid) || !Number.isInteger(startTime)) {
    return undefined;
  }
  return { pid, comm: text.slice(open + 1, close), state, parentPid, startTime };
}

/**
 * Reads `/proc/PID/stat`.
 *
 * @returns undefined when there is no such process
 */
export function readStat(pid: number | 'self', procRoot = '/proc'): ProcessStat | undefined {
  let text: string;
  try {
    // latin1: the name may be any bytes, and is not shown.
    text = readFileSync(`${procRoot}/${pid}/stat`, 'latin1');
  } catch (error) {
    const errno = errnoOf(error);
    // ESRCH: the process was reaped between open and read.
    if (errno === 'ENOENT' || errno === 'ESRCH') return undefined;
    throw error;
  }
  return parseStat(text);
}

/** Start time of a process in clock ticks after boot, or undefined when there is no such process. */
export function processStartTime(pid: number | 'self'): number | undefined {
  return readStat(pid)?.startTime;
}

/**
 * The path of a process in the cgroup v2 hierarchy, from the `0::` line of `/proc/PID/cgroup`; cgroups(7).
 *
 * It is relative to the reader's cgroup namespace: `/../x` is outside of it. A removed cgroup has ` (deleted)`
 * appended by the kernel.
 *
 * @returns undefined without such a line (no v2 hierarchy) or without such a process
 */
export function processCgroup(pid: number | 'self', procRoot = '/proc'): string | undefined {
  let text: string;
  try {
    text = readFileSync(`${procRoot}/${pid}/cgroup`, 'utf8');
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT' || errno === 'ESRCH') return undefined;
    throw error;
  }
  return parseCgroup(text);
}

/** The v2 path in the text of `/proc/PID/cgroup`. */
export function parseCgroup(text: string): string | undefined {
  for (const line of text.split('\n')) {
    if (line.startsWith('0::')) return line.slice(3);
  }
  return undefined;
}
