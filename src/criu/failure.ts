/**
 * Why CRIU failed, for the user: the last error line of its log, and what usually helps.
 *
 * @module
 */

import { readFileSync, unlinkSync, writeFileSync } from '#files';
import { errnoName, errnoText } from '../../ffi/constants/index.ts';
import { errnoOf, RuntsError } from '../errors.ts';
import type { CriuResponse } from './messages.ts';
import { imageError } from './streams.ts';

/** What is known of a failure. */
export interface CriuFailure {
  /** `dump`, `pre-dump`, `restore`. */
  what: string;
  /** Absent when CRIU went away without one. */
  response?: CriuResponse;
  log: string;
  /** What it printed before it had a log. */
  printed: string;
  /** Where it writes its images; absent when it writes none. */
  imagePath?: string;
}

/** What to do about it, by what the log says. */
const REMEDIES: readonly (readonly [RegExp, string])[] = [
  [
    /--ext-unix-sk|external.*unix|unix socket/i,
    'a Unix socket leads out of the container: try --ext-unix-sk',
  ],
  [/--tcp-established|Connected TCP socket/i, 'there are TCP connections: give --tcp-established'],
  [
    /Unsupported link/i,
    'CRIU can’t save this network device: give --empty-ns network, and it is left out with all of the network',
  ],
  [/In-flight connection/i, 'a connection waits to be accepted: give --tcp-skip-in-flight'],
  [/--file-locks|Some file locks are hold/i, 'there are file locks: give --file-locks'],
  [
    /--shell-job|session leader|dangling tty|Can't lookup mount=\d+ for fd=\d+ path=\/dev\/(?:pts\/|tty|console)/i,
    'the terminal is the caller’s: give --shell-job, or where CRIU is too old for that the container a terminal of its own, process.terminal',
  ],
  [
    /Can't lookup mount=\d+ for fd=/i,
    'an open file is the host’s: only a container’s standard streams can be given others when it is restored',
  ],
  [/--link-remap|link-remap/i, 'an open file was removed: give --link-remap'],
  [/can't be dumped.*ghost|ghost file.*limit/i, 'a large open file was removed'],
  [
    /\bvdso: |kerndat|kernel features detection/i,
    'this CRIU does not know this kernel: update criu, and see what `criu check` says',
  ],
  [
    /iptables-(save|restore)|ip6?tables|nft\b|network-lock|locking network|iptables\b/i,
    'CRIU runs iptables (iptables-restore) or nft for this: install iptables, or choose with --network-lock',
  ],
  [
    /exec.*\bip\b|ip tool|Can't exec.*\bip\b|\bip\b.*(route|addr|rule).*fail/i,
    'CRIU runs ip for this: apt-get install iproute2',
  ],
  [/Can't exec.*tar|\btar\b/i, 'CRIU runs tar for the content of a tmpfs: apt-get install tar'],
  [
    /Unable to open \S+\.img: Permission denied/i,
    'with a user namespace the container’s root must be able to enter the image folder: change its owner',
  ],
  [/No space left/i, 'make room on the file system of --image-path'],
  [
    /pid.*(busy|in use|mismatch)|Pid \d+ do not match/i,
    'a process of the host has the id that a restored one needs',
  ],
];

/** @returns the error to throw */
export function criuFailure({ what, response, log, printed, imagePath }: CriuFailure): RuntsError {
  const text = readLog(log) ?? printed;
  const line = errorLine(text) ?? errorLine(response?.crErrmsg ?? '') ?? errorLine(printed);
  const full = imagePath === undefined ? undefined : writeFailure(imagePath);
  if (full !== undefined) return full;
  const errno = Math.abs(response?.crErrno ?? 0);
  const why =
    line ??
    (errno > 0
      ? errnoText(errno)
      : response === undefined
        ? 'it ended without an answer'
        : 'it does not say why');
  const where = readLog(log) === undefined ? '' : `; its log: ${log}`;
  return new RuntsError('E_INIT', `criu failed to ${what}: ${why}${where}`, {
    errno: errno > 0 ? errnoName(errno) : undefined,
    hint: REMEDIES.find(([pattern]) => pattern.test(line ?? ''))?.[1],
  });
}

function readLog(path: string): string | undefined {
  try {
    const text = readFileSync(path, 'utf8');
    return text === '' ? undefined : text;
  } catch {
    return undefined;
  }
}

/** What CRIU says of every failure, up its stack, after the error that tells the cause. */
const CONSEQUENCE =
  /(?:Dumping|Restoring) FAILED|failed with -?\d+$|exited, (?:status|trying)|killed by signal|Unable to open fd=\d+ id=|Unable to (?:shutdown|stop)/i;

/** The last error line of a log that tells a cause, without time stamp. Errors at its beginning may be harmless. */
export function errorLine(log: string): string | undefined {
  let last: string | undefined;
  for (const line of log.split('\n')) {
    if (/\bError\b/.test(line) && !CONSEQUENCE.test(line)) last = line;
  }
  // Before its log is open, CRIU 3.17 overwrites the rest of its own message.
  return last
    ?.replace(/^\([\d.]+\)\s*(?:\d+:\s*)?/, '')
    .replace(/\0.*$/, '...')
    .trim();
}

/** A full or read-only image folder is what no log can tell of: it lies in there. */
function writeFailure(folder: string): RuntsError | undefined {
  const path = `${folder}/.runts-probe`;
  try {
    writeFileSync(path, new Uint8Array(4096));
    return undefined;
  } catch (error) {
    return errnoOf(error) === undefined ? undefined : imageError('write', folder, error);
  } finally {
    try {
      unlinkSync(path);
    } catch {
      // it was never made
    }
  }
}
