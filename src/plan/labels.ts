/**
 * Labels of the Linux security modules: `process.apparmorProfile`, `process.selinuxLabel`, `linux.mountLabel`.
 *
 * A label is written to a file in /proc, and a container that could put another file there would run without it
 * (CVE-2019-16884, CVE-2019-19921, CVE-2025-52881). So nothing is ever opened below the container's own /proc: the
 * runtime's is opened before the container's namespaces are entered, and `thread-self` in it is the process that
 * asks, in whatever pid namespace it is by then.
 *
 * Written early, it has its effect at execve only: apparmor(7), proc_pid_attr(5).
 *
 * @module
 */

import { AT, ERRNO, FS_MAGIC, O } from '../../ffi/constants/index.ts';
import type { Cell, ProgramBuilder } from '../../ffi/program.ts';
import { addressOf, bytes, valueIn } from '../../ffi/program.ts';
import { utf8 } from '../../ffi/text.ts';
import { RuntsError } from '../errors.ts';
import type { Process, Spec } from '../spec/types.ts';
import type { HostFacts, PlanContext } from './types.ts';

/** sizeof(struct statfs) on 64-bit machines, statfs(2). */
const STATFS_SIZE = 120;

/** What a process without an AppArmor profile is; so it is on a kernel without AppArmor. */
const UNCONFINED = 'unconfined';

/** File systems whose files have labels of their own making, or that belong to all containers alike. */
const UNLABELLED: ReadonlySet<string> = new Set(['proc', 'sysfs', 'cgroup', 'cgroup2']);

/** What may be asked of a security module that this host doesn't have. */
type Labelled = Pick<Process, 'apparmorProfile' | 'selinuxLabel'>;

/** The profile to be written, if any. */
function profileOf(process: Labelled, facts: HostFacts): string | undefined {
  const profile = process.apparmorProfile || undefined;
  return profile === UNCONFINED && facts.security?.apparmor !== true ? undefined : profile;
}

/** True when facts about security modules are needed. */
export function asksForLabels(process: Labelled | undefined, mountLabel?: string): boolean {
  return Boolean(process?.apparmorProfile || process?.selinuxLabel || mountLabel);
}

/**
 * @throws RuntsError E_UNSUPPORTED for a label of a security module that is not there; the texts are runc's
 */
export function requireModules(facts: HostFacts, process: Labelled): void {
  const { apparmor = false, selinux = false } = facts.security ?? {};
  const missing = (field: string, text: string, hint: string): RuntsError =>
    new RuntsError('E_UNSUPPORTED', `${field}: ${text}`, { field, hint });
  if (!apparmor && profileOf(process, facts) !== undefined) {
    throw missing(
      'process.apparmorProfile',
      'apparmor: config provided but apparmor not supported',
      'the kernel has AppArmor off: see /sys/module/apparmor/parameters/enabled; or leave the field out',
    );
  }
  if (!selinux && process.selinuxLabel) {
    throw missing(
      'process.selinuxLabel',
      'selinux label is specified in config, but selinux is disabled or not supported',
      'see /sys/fs/selinux; or leave the field out',
    );
  }
}

/**
 * `linux.mountLabel`, where there is an SELinux to read it. Elsewhere no file has a label, and nothing would be kept
 * out by one: unlike that of a process, which asks to be confined, it can be left out.
 */
export function mountLabelOf({ linux }: Pick<Spec, 'linux'>, facts: HostFacts): string | undefined {
  return facts.security?.selinux === true ? linux?.mountLabel : undefined;
}

/** The runtime's /proc, for {@link planLabels}; undefined when no label is to be written. */
export function planOpenProc(ctx: PlanContext, process: Labelled): Cell | undefined {
  if (profileOf(process, ctx.facts) === undefined && !process.selinuxLabel) return undefined;
  return planHostProc(ctx, process.selinuxLabel ? 'process.selinuxLabel' : 'process.apparmorProfile');
}

/** The runtime's /proc, which must be one: to be opened before anything of the container's is entered. */
export function planHostProc({ program }: Pick<PlanContext, 'program'>, field: string): Cell {
  const proc = program.cell('proc');
  const statfs = program.cell('statfs', STATFS_SIZE);
  const genuine = program.label('genuine');
  program.within(field, () => {
    program.call('openat', [AT.FDCWD, '/proc', O.PATH | O.DIRECTORY | O.CLOEXEC], { store: proc });
    program.call('fstatfs', [valueIn(proc), addressOf(statfs)]);
    program.jumpIf(valueIn(statfs), '==', FS_MAGIC.PROC, genuine);
    program.fail(null, 0, ERRNO.ENOTDIR, '/proc of the host is no proc file system');
    program.place(genuine);
  });
  return proc;
}

/** Labels of the process: what execve changes to. Closes the runtime's /proc. */
export function planLabels(ctx: PlanContext, process: Labelled, proc: Cell | undefined): void {
  if (proc === undefined) return;
  const { program } = ctx;
  const profile = profileOf(process, ctx.facts);
  if (profile !== undefined) {
    program.within('process.apparmorProfile', () =>
      planAttribute(program, proc, 'apparmor/exec', `exec ${profile}`),
    );
  }
  if (process.selinuxLabel) {
    program.within('process.selinuxLabel', () =>
      planAttribute(program, proc, 'exec', process.selinuxLabel ?? ''),
    );
  }
  program.call('close', [valueIn(proc)]);
}

/** The label of a session keyring that `make` makes: the process's own. */
export function planKeyringLabel(
  ctx: PlanContext,
  process: Labelled,
  proc: Cell | undefined,
  make: () => void,
): void {
  const label = process.selinuxLabel;
  if (proc === undefined || !label) {
    make();
    return;
  }
  const { program } = ctx;
  const set = (text: string): void =>
    program.within('process.selinuxLabel', () => planAttribute(program, proc, 'keycreate', text));
  set(label);
  make();
  set('');
}

/** Writes one of /proc/thread-self/attr. */
function planAttribute(program: ProgramBuilder, proc: Cell, name: string, text: string): void {
  const file = program.cell('attribute');
  const content = utf8(text);
  program.call('openat', [valueIn(proc), `thread-self/attr/${name}`, O.WRONLY | O.CLOEXEC], { store: file });
  program.call('write', [valueIn(file), bytes(content, JSON.stringify(text)), content.length]);
  program.call('close', [valueIn(file)]);
}

/**
 * The option that labels a new file system's files for SELinux, if it is to have one.
 *
 * @param options - names of the file system's own options: a context among them counts
 * @param name - of the option: which label of the file system it is, mount(8)
 */
export function contextOption(
  mountLabel: string | undefined,
  type: string,
  options: readonly string[],
  name = 'context',
): [] | [string] {
  if (!mountLabel || UNLABELLED.has(type)) return [];
  if (options.some((name) => /^(fs|def|root)?context$/.test(name))) return [];
  // Levels have commas in them, which would end the option.
  return [`${name}="${mountLabel}"`];
}
