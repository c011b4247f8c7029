/**
 * Why a file system could not be mounted: which of the options it refuses, in the kernel's own words.
 *
 * mount(2) says no more than EINVAL. The same options are tried here, one by one, on a new file system that is never
 * mounted, and the kernel's messages about it are read: fsopen(2). Only after a failure, so it costs nothing otherwise.
 *
 * @module
 */

import { closeSync } from '#files';
import { FSCONFIG, FSOPEN } from '../../ffi/constants/index.ts';
import { trySyscall } from '../../ffi/local.ts';
import { RuntsError } from '../errors.ts';
import { separateOptions } from '../plan/mount-data.ts';
import { parseMountOptions } from '../plan/mount-options.ts';
import type { Spec } from '../spec/types.ts';

/** Making one of these changes nothing but memory; others may open devices or ask servers. */
const HARMLESS: ReadonlySet<string> = new Set(['tmpfs', 'ramfs', 'devpts', 'overlay', 'mqueue', 'hugetlbfs']);

/** Adds the kernel's explanation to the failure of a mount; gives anything else back as it is. */
export function explainMount(error: unknown, spec: Spec): unknown {
  if (!(error instanceof RuntsError)) return error;
  const { field = '', syscall, errno, hint } = error.details;
  const index = /^mounts\[(\d+)\]$/.exec(field)?.[1];
  if (index === undefined || errno !== 'EINVAL' || (syscall !== 'mount' && syscall !== 'fsconfig'))
    return error;
  const mount = spec.mounts?.[Number(index)];
  const reason = mount?.type && refusal(mount.type, parseMountOptions(mount.options ?? []).data);
  if (!reason) return error;
  const message = hint === undefined ? error.message : error.message.slice(0, -` (${hint})`.length);
  return new RuntsError(error.code, `${message}: ${reason}`, { ...error.details, hint: undefined });
}

/** What the kernel says against the options of a file system; undefined when it says nothing. */
function refusal(type: string, data: Parameters<typeof separateOptions>[0]): string | undefined {
  const context = trySyscall('fsopen', [type, FSOPEN.CLOEXEC]);
  if (context < 0) return undefined;
  try {
    for (const { key, value } of separateOptions(data)) {
      const command = value === null ? FSCONFIG.SET_FLAG : FSCONFIG.SET_STRING;
      if (trySyscall('fsconfig', [context, command, key, value, 0]) >= 0) continue;
      const option = value === null ? key : `${key}=${value}`;
      return [`the option ${JSON.stringify(option)} is refused`, ...log(context)].join(': ');
    }
    if (!HARMLESS.has(type)) return undefined;
    if (trySyscall('fsconfig', [context, FSCONFIG.CMD_CREATE, null, null, 0]) >= 0) return undefined;
    return log(context).join('; ') || undefined;
  } finally {
    closeSync(context);
  }
}

/** The messages of a file system context: one a read, `e` for an error in front; until ENODATA. */
function log(context: number): string[] {
  const lines: string[] = [];
  const buffer = new Uint8Array(1024);
  for (;;) {
    const length = trySyscall('read', [context, buffer, buffer.length]);
    if (length <= 0) return lines;
    lines.push(
      new TextDecoder()
        .decode(buffer.subarray(0, length))
        .replace(/^[ewi] /, '')
        .trim(),
    );
  }
}
