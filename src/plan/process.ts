/**
 * What a process does to itself once it is in its namespaces, to become the container's command: the same for the
 * container's init and for `exec`.
 *
 * @module
 */

import { AT, KEYCTL, PR, STATX } from '../../ffi/constants/index.ts';
import type { Bytes, Cell, ProgramBuilder } from '../../ffi/program.ts';
import { addressOf, bytes, valueIn } from '../../ffi/program.ts';
import { utf8 } from '../../ffi/text.ts';
import type { Process, User } from '../spec/types.ts';
import { type InheritedAttributes, planProcessAttributes } from './attributes.ts';
import { planCloseOnExec } from './close-on-exec.ts';
import { planStreams } from './console.ts';
import { candidates, environment, planEnter, planExec, planLookup, planWorkingDirectory } from './exec.ts';
import { planIdentity, planRlimits } from './identity.ts';
import { planKeyringLabel } from './labels.ts';
import { needsSysAdmin } from './seccomp.ts';
import type { PlanContext } from './types.ts';

/** Who runs the command when the config does not say. */
const ROOT: User = { uid: 0, gid: 0 };

/** A string where a pointer is expected. */
export function stringAddress(text: string): Bytes {
  return bytes(utf8(`${text}\0`), JSON.stringify(text));
}

/** What a new session keyring allows (KEY_POS_ALL, KEY_USR_VIEW, _READ, _LINK), and to search for it by its name. */
const KEYRING_PERMISSIONS = 0x3f1b0000;

/**
 * A session of its own, and a session keyring. Init makes one; a process of `exec` joins it by its name, which needs
 * the permission to find it: keyctl(2), KEYCTL_JOIN_SESSION_KEYRING.
 *
 * @param proc - the runtime's /proc, when the process has a label
 */
export function planSession(
  ctx: PlanContext,
  process: Process,
  proc: Cell | undefined,
  keyring: 'new' | 'existing',
): void {
  const { program, options } = ctx;
  program.call('setsid', []);
  if (options.noNewKeyring) return;
  const ring = program.cell('keyring');
  const done = program.label('keyringDone');
  planKeyringLabel(ctx, process, proc, () => {
    program.call('keyctl', [KEYCTL.JOIN_SESSION_KEYRING, stringAddress(`_ses.${options.id}`)], {
      store: ring,
      tolerate: ['ENOSYS'],
      goto: done,
      note: 'no keys of the host',
    });
    if (keyring === 'new') {
      program.call('keyctl', [KEYCTL.SETPERM, valueIn(ring), KEYRING_PERMISSIONS], {
        tolerate: 'any',
        note: 'exec finds it by its name',
      });
    }
    program.place(done);
  });
}

/** From standard streams to execve. `terminal` holds the descriptor that becomes the standard streams, if any. */
export function planProcess(
  ctx: PlanContext,
  process: Process,
  linux: InheritedAttributes,
  terminal: Cell | undefined,
  scratch: Cell,
): void {
  const { program } = ctx;
  const user = process.user ?? ROOT;
  if (terminal !== undefined) planStreams(ctx, terminal, user.uid);
  else if (user.uid !== 0) planStreamOwner(ctx, user.uid);
  planLimits(ctx, process, linux);
  const entered = planEnter(ctx, process.cwd);
  planUser(ctx, process);
  planWorkingDirectory(ctx, process.cwd, entered);
  planUmask(program, process);
  (process.env ?? []).forEach((entry, i) => {
    if (entry.indexOf('=') <= 0)
      ctx.warnings.push(`process.env[${i}]: ${JSON.stringify(entry)} is no NAME=VALUE: ignored`);
  });
  const env = environment(process.env ?? [], ctx.facts.passwd, user.uid);
  const name = process.args?.[0] ?? '';
  const command = planLookup(ctx, candidates(name, env), name.includes('/'));
  planCloseOnExec(program, 3 + ctx.options.preserveFds, ctx.facts.closeRange);
  planExec(ctx, process, command, env, scratch);
}

/** What a process is held to, while it has the rights of the runtime to set it. */
export function planLimits(ctx: PlanContext, process: Process, linux: InheritedAttributes): void {
  const { program } = ctx;
  // In a user namespace raising a hard limit is denied: there the parent sets them.
  if (!ctx.userNamespace) planRlimits(program, process.rlimits ?? []);
  if (process.noNewPrivileges === true) {
    program.call('prctl', [PR.SET_NO_NEW_PRIVS, 1], { field: 'process.noNewPrivileges' });
  }
  planProcessAttributes(ctx, process, linux);
}

/** Ids and capabilities: from here on the rights are the command's. */
export function planUser(ctx: PlanContext, process: Process): void {
  const user = process.user ?? ROOT;
  const sysAdmin = needsSysAdmin(ctx.options.seccomp, process.noNewPrivileges);
  planIdentity(ctx, user, process.capabilities, sysAdmin);
  if (user.uid !== 0 || user.gid !== 0) planNotDumpable(ctx.program);
}

export function planUmask(program: ProgramBuilder, { user }: Process): void {
  program.call('umask', [user?.umask ?? 0o022], { field: 'process.user.umask' });
}

/** A change of ids makes a process as dumpable as the sysctl fs.suid_dumpable says, and so it can be traced. */
function planNotDumpable(program: ProgramBuilder): void {
  program.call('prctl', [PR.SET_DUMPABLE, 0], { note: 'whatever fs.suid_dumpable is' });
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
      program.jumpIf(valueIn(statx, 128), '==', 0x3_0000_0001, next);
      program.call('fchown', [stream, uid, -1], { tolerate: ['EPERM', 'EINVAL', 'EROFS', 'ENOSYS'] });
      program.place(next);
    }
  });
}
