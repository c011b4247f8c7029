/**
 * What a process does to itself once it is in its namespaces, to become the container's command: the same for the
 * container's init and for `exec`.
 *
 * @module
 */

import { AT, KEYCTL, PR, STATX } from '../../ffi/constants/index.ts';
import type { Bytes, Cell } from '../../ffi/program.ts';
import { addressOf, bytes, valueIn } from '../../ffi/program.ts';
import type { Process, User } from '../spec/types.ts';
import { planStreams } from './console.ts';
import {
  candidates,
  environment,
  planCloseRest,
  planExec,
  planLookup,
  planWorkingDirectory,
} from './exec.ts';
import { planIdentity, planRlimits } from './identity.ts';
import { needsSysAdmin } from './seccomp.ts';
import type { PlanContext } from './types.ts';

/** Who runs the command when the config does not say. */
const ROOT: User = { uid: 0, gid: 0 };

/** A string where a pointer is expected. */
export function stringAddress(text: string): Bytes {
  return bytes(new TextEncoder().encode(`${text}\0`), JSON.stringify(text));
}

/** A session of its own, and a session keyring: the one of the container, or a new one for its init. */
export function planSession(ctx: PlanContext): void {
  const { program, options } = ctx;
  program.call('setsid', []);
  if (options.noNewKeyring) return;
  program.call('keyctl', [KEYCTL.JOIN_SESSION_KEYRING, stringAddress(`_ses.${options.id}`)], {
    tolerate: ['ENOSYS'],
    note: 'no keys of the host',
  });
}

/** From standard streams to execve. `terminal` holds the descriptor that becomes the standard streams, if any. */
export function planProcess(
  ctx: PlanContext,
  process: Process,
  terminal: Cell | undefined,
  scratch: Cell,
): void {
  const { program } = ctx;
  const user = process.user ?? ROOT;
  if (terminal !== undefined) planStreams(ctx, terminal, user.uid);
  else if (user.uid !== 0) planStreamOwner(ctx, user.uid);
  // In a user namespace raising a hard limit is denied: there the parent sets them.
  if (!ctx.userNamespace) planRlimits(program, process.rlimits ?? []);
  if (process.noNewPrivileges === true) {
    program.call('prctl', [PR.SET_NO_NEW_PRIVS, 1], { field: 'process.noNewPrivileges' });
  }
  const sysAdmin = needsSysAdmin(ctx.options.seccomp, process.noNewPrivileges);
  planIdentity(ctx, user, process.capabilities, sysAdmin);
  planWorkingDirectory(ctx, process.cwd);
  program.call('umask', [user.umask ?? 0o022], { field: 'process.user.umask' });
  const env = environment(process.env ?? [], ctx.facts.passwd, user.uid);
  const command = planLookup(ctx, candidates(process.args?.[0] ?? '', env));
  planCloseRest(ctx);
  planExec(ctx, process, command, env, scratch);
}

/** The command's user may open /dev/stdout again; the host's /dev/null is never given away. */
function planStreamOwner(ctx: PlanContext, uid: number): void {
  const { program } = ctx;
  program.within('process.user.uid', () => {
    const statx = program.cell('streamStatx', 256);
    for (const stream of [0, 1, 2]) {
      const next = program.label('next');
      program.call('statx', [stream, '', AT.EMPTY_PATH, STATX.TYPE, addressOf(statx)], {
        tolerate: ['EBADF'],
        goto: next,
      });
      // character device 1:3, the null device
      program.jumpIf(valueIn(statx, 128), '==', 1 + 3 * 2 ** 32, next);
      program.call('fchown', [stream, uid, -1], { tolerate: ['EPERM', 'EINVAL', 'EROFS', 'ENOSYS'] });
      program.place(next);
    }
  });
}
