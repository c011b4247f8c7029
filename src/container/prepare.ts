/**
 * From a command line to a plan: what `create`, `run` and `plan` have in common, before anything is done.
 *
 * @module
 */

import { fstatSync, lstatSync, realpathSync } from '#files';
import { TapeWriter } from '#tape-writer';
import { type ChosenCgroup, chooseCgroup } from '../cgroup/choose.ts';
import { isUnprivileged } from '../cgroup/unprivileged.ts';
import { errnoText } from '../cli/present.ts';
import type { CommandContext } from '../cli/types.ts';
import { errnoOf, RuntsError } from '../errors.ts';
import { hostFacts } from '../linux/facts.ts';
import { log } from '../log.ts';
import { isAbsolute, resolve } from '../paths.ts';
import { planInto } from '../plan/create.ts';
import type { HostFacts, Plan, PlanOptions } from '../plan/types.ts';
import type { PreparedFilter } from '../seccomp/filter.ts';
import type { Annotated, SeccompExtensions } from '../spec/annotations.ts';
import { loadSpec } from '../spec/load.ts';
import type { LinuxSeccomp, Spec } from '../spec/types.ts';
import type { Trace } from '../trace.ts';
import { checkId } from './id.ts';
import { listenFds, withService } from './service.ts';
import { stateDirectory } from './state.ts';

/** All that is decided before the first change to the host. */
export interface Prepared {
  spec: Spec;
  options: PlanOptions;
  facts: HostFacts;
  plan: Plan<TapeWriter>;
  /** The filter of linux.seccomp, when there is one. */
  seccomp?: PreparedFilter;
  /** With --trace. */
  trace?: Trace;
}

/** What differs between the commands. */
export interface Intent {
  id: string;
  mode: 'create' | 'run';
  /** `run` without --detach relays the terminal itself. */
  foreground: boolean;
  /** `plan` works without a rootfs, and without rights. */
  dryRun: boolean;
}

/** Loads, checks and plans. Throws the first thing that is wrong; nothing has been done then. */
export async function prepare(ctx: CommandContext, intent: Intent, trace?: Trace): Promise<Prepared> {
  checkId(intent.id);
  const bundle = bundlePath(ctx);
  const stateDir = stateDirectory(ctx.global.root, intent.id);
  const { spec: annotated, extensions } = await extended(loadSpec(bundle));
  const spec = withService(annotated, process.env, `${stateDir}/notify`);
  if (intent.foreground && spec.process?.terminal === true) {
    const { withHostSize } = await import('../terminal/size.ts');
    spec.process = withHostSize(spec.process);
  }
  if (spec.linux?.sysctl !== undefined) {
    const { refuseHostSysctls } = await import('../linux/host-sysctls.ts');
    refuseHostSysctls(spec);
  }
  const rootfs = rootfsPath(spec, bundle, intent.dryRun);
  const cgroup = cgroupOf(ctx, spec, intent);
  const noPivot = ctx.flags['no-pivot'] === true;
  const { dryRun } = intent;
  const facts = hostFacts(spec, { bundle, rootfs, cgroupMount: cgroup?.mountpoint ?? null, noPivot, dryRun });
  const seccomp =
    spec.linux?.seccomp && (await seccompFilter(spec.linux.seccomp, extensions.seccomp, ctx, intent));
  const options: PlanOptions = {
    id: intent.id,
    bundle,
    rootfs,
    stateDir,
    notifyFolder: process.env.NOTIFY_SOCKET ? `${stateDir}/notify` : undefined,
    mode: intent.mode,
    cgroupPath: cgroup?.path ?? null,
    unprivileged: (cgroup?.path ?? null) === null && isUnprivileged(),
    scope: cgroup?.scope,
    consoleSocket: text(ctx, 'console-socket'),
    noPivot,
    noNewKeyring: ctx.flags['no-new-keyring'] === true,
    preserveFds: preservedFds(ctx, intent.dryRun),
    pidFile: text(ctx, 'pid-file'),
    pidfdSocket: text(ctx, 'pidfd-socket') ?? extensions.pidfdReceiver,
    extensions,
    seccomp: seccomp?.filter,
  };
  checkTerminal(spec, options, intent);
  const writer = new TapeWriter(facts.machine);
  const tape = trace === undefined ? writer : trace.measure(writer);
  return {
    spec,
    options,
    facts,
    seccomp,
    trace,
    plan: planInto(tape, spec, options, facts),
  };
}

/** With what the annotations of crun say. Most configs have none of them. */
async function extended(spec: Spec): Promise<Annotated> {
  const names = Object.keys(spec.annotations ?? {});
  if (!names.some((name) => name.startsWith('run.oci.') || name.startsWith('module.wasm.')))
    return { spec, extensions: {} };
  const { withAnnotations } = await import('../spec/annotations.ts');
  return withAnnotations(spec);
}

/** {@link prepare}, measured. */
export async function prepareTraced(ctx: CommandContext, intent: Intent, trace?: Trace): Promise<Prepared> {
  if (trace === undefined) return await prepare(ctx, intent);
  return await trace.around('load, validate, plan', () => prepare(ctx, intent, trace));
}

/** The compiled filter; `plan` does without where there is no libseccomp. */
async function seccompFilter(
  profile: LinuxSeccomp,
  extensions: SeccompExtensions | undefined,
  ctx: CommandContext,
  intent: Intent,
): Promise<PreparedFilter | undefined> {
  const { prepareFilter } = await import('../seccomp/filter.ts');
  try {
    return await prepareFilter(profile, ctx.global.root, extensions);
  } catch (error) {
    if (!intent.dryRun || !(error instanceof RuntsError) || error.code === 'E_CONFIG_INVALID') throw error;
    log.warn(`the plan is without the system call filter: ${error.message}`);
    return undefined;
  }
}

function text(ctx: CommandContext, flag: string): string | undefined {
  const value = ctx.flags[flag];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** The bundle, absolute: --bundle, or the working directory. */
export function bundlePath(ctx: CommandContext): string {
  const given = text(ctx, 'bundle') ?? '.';
  const path = resolve(given);
  try {
    return realpathSync(path);
  } catch (error) {
    throw new RuntsError('E_CONFIG_MISSING', `bundle ${path}: ${errnoText(error)}`, {
      errno: errnoOf(error),
      hint: 'give the folder that holds config.json with --bundle',
      cause: error,
    });
  }
}

/** The rootfs, absolute. It must be a folder, and no symlink: a container could have exchanged what it points to. */
function rootfsPath(spec: Spec, bundle: string, dryRun: boolean): string {
  const given = spec.root?.path ?? '';
  const path = isAbsolute(given) ? resolve(given) : resolve(bundle, given);
  if (dryRun) return path;
  const fail = (what: string, hint: string, error?: unknown): RuntsError =>
    new RuntsError('E_ROOTFS', `root.path: ${path}: ${what}`, {
      field: 'root.path',
      errno: errnoOf(error),
      hint,
      cause: error,
    });
  try {
    const stat = lstatSync(path);
    if (stat.isSymbolicLink()) throw fail('is a symlink', 'name the folder itself');
    if (!stat.isDirectory())
      throw fail('not a directory', 'root.path names a folder with the container’s files');
  } catch (error) {
    if (error instanceof RuntsError) throw error;
    throw fail(errnoText(error), 'unpack the container’s files there, or correct root.path', error);
  }
  return realpathSync(path);
}

function cgroupOf(ctx: CommandContext, spec: Spec, intent: Intent): ChosenCgroup | null {
  try {
    return chooseCgroup(ctx.global, spec, intent.id);
  } catch (error) {
    if (intent.dryRun)
      return { mountpoint: '/sys/fs/cgroup', path: spec.linux?.cgroupsPath || `/${intent.id}` };
    throw error;
  }
}

/** --preserve-fds plus what a socket-activating caller passes (sd_listen_fds(3)); each must be open. */
export function preservedFds(ctx: CommandContext, dryRun: boolean): number {
  const given = ctx.flags['preserve-fds'];
  const extra = typeof given === 'number' ? given : 0;
  const count = extra + listenFds(process.env);
  if (dryRun) return count;
  for (let fd = 3; fd < 3 + count; fd++) {
    try {
      fstatSync(fd);
    } catch (error) {
      throw new RuntsError('E_FDS', `--preserve-fds: descriptor ${fd} is not open`, {
        errno: errnoOf(error),
        hint: `the caller must hold open the descriptors 3 to ${2 + count}`,
      });
    }
  }
  return count;
}

function checkTerminal(spec: Spec, options: PlanOptions, intent: Intent): void {
  const terminal = spec.process?.terminal === true;
  if (intent.dryRun) return;
  if (terminal && !intent.foreground && options.consoleSocket === undefined) {
    throw new RuntsError('E_TTY', 'cannot allocate tty if runc will detach without setting console socket', {
      field: 'process.terminal',
      hint: 'give --console-socket, or set process.terminal to false',
    });
  }
  if (options.consoleSocket !== undefined && (!terminal || intent.foreground)) {
    throw new RuntsError('E_TTY', 'cannot use console socket if runc will not detach or allocate tty', {
      field: 'process.terminal',
    });
  }
}
