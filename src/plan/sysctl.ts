/**
 * `linux.sysctl`: written through a procfs of our own, never through the container's /proc, which a mount of the image
 * could have forged (CVE-2025-52881).
 *
 * @module
 */

import { FS_MAGIC, FSCONFIG, FSMOUNT, FSOPEN, MOUNT_ATTR, O } from '../../ffi/constants/index.ts';
import type { Cell } from '../../ffi/program.ts';
import { addressOf, bytes, valueIn } from '../../ffi/program.ts';
import { utf8 } from '../../ffi/text.ts';
import type { RootAccess } from './root.ts';
import type { PlanContext } from './types.ts';

/** `net.ipv4.ip_forward` and `net/ipv4/ip_forward` are the same; in the first form a slash stands for a dot. */
export function sysctlPath(name: string): string {
  const dot = name.indexOf('.');
  const slash = name.indexOf('/');
  if (dot < 0 || (slash >= 0 && slash < dot)) return name;
  return name.replace(/[./]/g, (c) => (c === '.' ? '/' : '.'));
}

/** A detached procfs of the container's pid namespace; where the kernel denies it, the container's own, verified. */
export function planPrivateProc(ctx: PlanContext, root: RootAccess): Cell {
  const { program } = ctx;
  const proc = program.cell('proc');
  const context = program.cell('procContext');
  const denied = program.label('denied');
  const ready = program.label('ready');
  const statfs = program.cell('statfs', 120);
  const genuine = program.label('genuine');
  program.call('fsopen', ['proc', FSOPEN.CLOEXEC], { store: context });
  program.call('fsconfig', [valueIn(context), FSCONFIG.CMD_CREATE, null, null, 0], {
    tolerate: ['EPERM'],
    goto: denied,
  });
  program.call(
    'fsmount',
    [valueIn(context), FSMOUNT.CLOEXEC, MOUNT_ATTR.NOSUID | MOUNT_ATTR.NODEV | MOUNT_ATTR.NOEXEC],
    {
      store: proc,
      tolerate: ['EPERM'],
      goto: denied,
    },
  );
  program.jump(ready);
  program.place(denied);
  root.open('/proc', proc, { flags: O.PATH | O.DIRECTORY, noSymlinks: true });
  program.call('fstatfs', [valueIn(proc), addressOf(statfs)]);
  program.jumpIf(valueIn(statfs), '==', FS_MAGIC.PROC, genuine);
  program.fail(null, 0, 20, '/proc of the container is no proc file system');
  program.place(genuine);
  program.place(ready);
  program.call('close', [valueIn(context)]);
  return proc;
}

export function planSysctls(
  ctx: PlanContext,
  root: RootAccess,
  sysctls: Readonly<Record<string, string>>,
): void {
  const { program } = ctx;
  const names = Object.keys(sysctls);
  if (names.length === 0) return;
  program.within('linux.sysctl', () => {
    const proc = planPrivateProc(ctx, root);
    const file = program.cell('sysctl');
    for (const name of names) {
      program.within(`linux.sysctl[${JSON.stringify(name)}]`, () => {
        const value = utf8(sysctls[name] ?? '');
        program.call(
          'openat',
          [valueIn(proc), `sys/${sysctlPath(name)}`, O.WRONLY | O.CLOEXEC | O.NOFOLLOW],
          { store: file },
        );
        program.call('write', [valueIn(file), bytes(value, JSON.stringify(sysctls[name])), value.length]);
        program.call('close', [valueIn(file)]);
      });
    }
    program.call('close', [valueIn(proc)]);
  });
}
