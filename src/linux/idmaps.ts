/**
 * The id maps of a user namespace, written by the parent; user_namespaces(7).
 *
 * With CAP_SETUID and CAP_SETGID over its own user namespace the runtime writes any map itself. An ordinary user may
 * map one id, its own; for more there are newuidmap(1) and newgidmap(1), which check /etc/subuid and /etc/subgid.
 *
 * @module
 */

import { readFileSync, writeFileSync } from '#files';
import { CAP } from '../../ffi/constants/capability.ts';
import { errnoText } from '../cli/present.ts';
import { errnoOf, RuntsError } from '../errors.ts';
import type { LinuxIDMapping } from '../spec/types.ts';

const KINDS = {
  uid: {
    file: 'uid_map',
    field: 'linux.uidMappings',
    helper: 'newuidmap',
    list: '/etc/subuid',
    capability: CAP.SETUID,
  },
  gid: {
    file: 'gid_map',
    field: 'linux.gidMappings',
    helper: 'newgidmap',
    list: '/etc/subgid',
    capability: CAP.SETGID,
  },
} as const;
type Kind = (typeof KINDS)[keyof typeof KINDS];

/** Writes the maps of the process `pid`, which waits in its new user namespace. */
export async function writeIdMaps(
  pid: number,
  uid: readonly LinuxIDMapping[],
  gid: readonly LinuxIDMapping[],
): Promise<void> {
  await writeMap(pid, KINDS.uid, uid, process.geteuid?.() ?? 0);
  await writeMap(pid, KINDS.gid, gid, process.getegid?.() ?? 0);
}

async function writeMap(pid: number, kind: Kind, map: readonly LinuxIDMapping[], own: number): Promise<void> {
  if (map.length === 0) return;
  if (hasCapability(kind.capability)) {
    write(pid, kind, map);
    return;
  }
  const [first] = map;
  if (map.length === 1 && first?.size === 1 && first.hostID === own) {
    // Without rights a gid map is taken only once setgroups(2) is given up: it could drop a group that denies access.
    if (kind === KINDS.gid) writeFileSync(`/proc/${pid}/setgroups`, 'deny');
    write(pid, kind, map);
    return;
  }
  await runHelper(pid, kind, map);
}

function hasCapability(capability: number): boolean {
  const effective = /^CapEff:\s*([0-9a-f]+)/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1] ?? '0';
  return ((BigInt(`0x${effective}`) >> BigInt(capability)) & 1n) === 1n;
}

/** One write(2) for the whole map: the kernel takes no second one. */
function write(pid: number, { file, field }: Kind, map: readonly LinuxIDMapping[]): void {
  const path = `/proc/${pid}/${file}`;
  try {
    writeFileSync(path, map.map((m) => `${m.containerID} ${m.hostID} ${m.size}\n`).join(''));
  } catch (error) {
    const errno = errnoOf(error);
    const remedies: Readonly<Record<string, string>> = {
      EPERM:
        'the ids must be mapped in the runtime’s own user namespace, and mapping its root needs CAP_SETFCAP',
      EINVAL: 'mappings must not overlap, and at most 340 are allowed',
    };
    throw new RuntsError('E_INIT', `${field}: write ${path}: ${errnoText(error)}`, {
      field,
      syscall: 'write',
      errno,
      hint: remedies[errno ?? ''],
      cause: error,
    });
  }
}

/** The set-user-id helper of the system. It finds its own rights; the environment and PATH have no say in them. */
async function runHelper(pid: number, kind: Kind, map: readonly LinuxIDMapping[]): Promise<void> {
  const { runCommand } = await import('../hooks/command.ts');
  const ids = map.flatMap((m) => [m.containerID, m.hostID, m.size].map(String));
  const result = runCommand(kind.helper, [String(pid), ...ids]);
  if (result?.status.code === 0) return;
  const missing = result === undefined;
  const reason = missing ? 'not found in $PATH' : result.stderr;
  throw new RuntsError('E_INIT', `${kind.field}: ${kind.helper}: ${reason}`, {
    field: kind.field,
    hint: missing
      ? 'mapping more than one’s own id needs it: apt-get install uidmap'
      : `the range must be yours in ${kind.list}; without it map only your own id`,
  });
}
