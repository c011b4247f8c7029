/**
 * Mounts of a container that is there already: `runts mounts add` and `runts mounts remove`.
 *
 * A process opens what is to be bound where the host's paths mean something, joins the container's namespaces as `exec`
 * does, attaches the mounts by the same operations as `create`, and ends. Nothing of the container is executed.
 *
 * @module
 */

import { AT, CLONE, ERRNO, MNT, O, PR, STATX } from '../../ffi/constants/index.ts';
import { addressOf, type Program, type ProgramBuilder, valueIn, words } from '../../ffi/program.ts';
import { RuntsError } from '../errors.ts';
import type { LinuxIDMapping, LinuxNamespace, Mount, Spec } from '../spec/types.ts';
import { isBind, planSources } from './bind.ts';
import { planEnter } from './hook.ts';
import { MountMappings } from './idmap.ts';
import { planHostProc } from './labels.ts';
import { type MountPlan, parseMounts, planMounts } from './mounts.ts';
import { planBecomeRoot } from './namespaces.ts';
import { relativeToRoot } from './opened.ts';
import { TAG } from './protocol.ts';
import { RootAccess } from './root.ts';
import { copiedSymlink } from './symlinks.ts';
import type { HostFacts, HostStep, PlanContext } from './types.ts';

const CLONE_ARGS_SIZE = 88;
const STATX_SIZE = 256;
/** Offsets in struct statx of the attributes, and of which of them the file system knows; statx(2). */
const ATTRIBUTES = 8;
const ATTRIBUTES_MASK = 56;
/** STATX_ATTR_MOUNT_ROOT, Linux 5.8. */
const MOUNT_ROOT = 0x2000;
/** A descriptor whose number is known when the program is made: above those that it opens. */
const KNOWN_NUMBER = 200;

/** The container. */
export interface HotMountOptions {
  id: string;
  /** Where relative sources begin. */
  bundle: string;
  namespaces: readonly LinuxNamespace[];
  uidMappings: readonly LinuxIDMapping[];
  gidMappings: readonly LinuxIDMapping[];
  mountLabel?: string;
  mounts: readonly Mount[];
}

export interface HotMountPlan<P extends ProgramBuilder = Program> {
  program: P;
  /** What the parent does before the executor is started: user namespaces for id-mapped mounts. */
  before: readonly HostStep[];
  /** What the parent does while mounts are made. */
  while: readonly HostStep[];
  warnings: readonly string[];
}

function contextOf(program: ProgramBuilder, options: HotMountOptions, facts: HostFacts): PlanContext {
  return {
    program,
    // Cgroups are found on the host by a path, which the container may have put something else at.
    facts: { ...facts, cgroupMount: null },
    options: {
      id: options.id,
      bundle: options.bundle,
      rootfs: '/',
      stateDir: '',
      mode: 'run',
      cgroupPath: null,
      noPivot: false,
      noNewKeyring: true,
      preserveFds: 0,
    },
    userNamespace: options.namespaces.some(({ type }) => type === 'user'),
    mountLabel: options.mountLabel,
    warnings: [],
    steps: [],
  };
}

/**
 * Adds mounts, in order.
 *
 * @throws RuntsError E_CONFIG_INVALID, E_UNSUPPORTED
 */
export function planAddMounts<P extends ProgramBuilder>(
  program: P,
  options: HotMountOptions,
  facts: HostFacts,
): HotMountPlan<P> {
  const ctx = contextOf(program, options, facts);
  const { namespaces, uidMappings, gidMappings } = options;
  const spec: Spec = {
    ociVersion: '',
    mounts: [...options.mounts],
    linux: {
      namespaces: [...namespaces],
      uidMappings: [...uidMappings],
      gidMappings: [...gidMappings],
      // Whatever it is, the propagation that a mount asks for is set.
      rootfsPropagation: 'shared',
    },
  };
  const mounts = parseMounts(ctx, options.mounts);
  for (const { mount, field } of mounts) requireAddable(mount, field);
  program.call('prctl', [PR.SET_DUMPABLE, 0], { note: 'no ptrace from the namespaces we join' });
  const mappings = new MountMappings(ctx, spec);
  mappings.planOpen(mounts);
  const binds = mounts.filter((m) => isBind(m) && copiedSymlink(ctx, m) === undefined);
  const plan: MountPlan = { mounts, mappings, sources: planSources(ctx, binds, mappings, undefined, false) };
  const root = planJoinMounts(ctx, namespaces);
  const { atTheEnd } = planMounts(ctx, root, spec, plan);
  for (const later of atTheEnd) later();
  planDone(ctx);
  root.finish();
  return { program, before: mappings.steps, while: ctx.steps ?? [], warnings: ctx.warnings };
}

/** What would undo the making of the container can't be added. @throws RuntsError E_CONFIG_INVALID */
function requireAddable({ destination, type = '' }: Mount, field: string): void {
  const refuse = (name: string, text: string): RuntsError =>
    new RuntsError('E_CONFIG_INVALID', `${field}.${name}: ${text}`, { field: `${field}.${name}` });
  if (relativeToRoot(destination) === '.')
    throw refuse('destination', 'the root of a container that is there can’t be covered');
  if (type === 'proc' || type === 'sysfs')
    throw refuse('type', `a new ${type} would show what linux.maskedPaths hides`);
}

/**
 * Removes what is mounted last at these destinations, with all that is mounted below, in reverse order.
 *
 * umount2(2) takes a path, and none of the container's is to be trusted: it is that of the descriptor in the /proc of
 * the runtime.
 *
 * @param undo - what is no mount is passed over; otherwise nothing is removed when one of them is none
 * @throws RuntsError E_CONFIG_INVALID
 */
export function planRemoveMounts<P extends ProgramBuilder>(
  program: P,
  options: HotMountOptions,
  facts: HostFacts,
  undo = false,
): HotMountPlan<P> {
  const ctx = contextOf(program, options, facts);
  program.call('prctl', [PR.SET_DUMPABLE, 0], { note: 'no ptrace from the namespaces we join' });
  const proc = planHostProc(ctx, 'mounts');
  const root = planJoinMounts(ctx, options.namespaces);
  const mounts = options.mounts.map((mount, i) => ({ mount, field: `mounts[${i}].destination` }));
  for (const { mount, field } of mounts) {
    requireRemovable(mount, field);
    if (!undo) program.within(field, () => planRequireMount(program, root, mount));
  }
  program.call('fchdir', [valueIn(proc)], { field: 'mounts', note: 'the host’s /proc' });
  for (const { mount, field } of mounts.reverse()) {
    const gone = program.label('gone');
    program.within(field, () => {
      root.open(mount.destination, root.target, { missing: gone });
      program.call('dup3', [valueIn(root.target), KNOWN_NUMBER, O.CLOEXEC]);
      program.call('close', [valueIn(root.target)]);
      // EINVAL: gone with another that it was below
      program.call('umount2', [`self/fd/${KNOWN_NUMBER}`, MNT.DETACH], { tolerate: ['EINVAL'] });
      program.place(gone);
    });
  }
  planDone(ctx);
  root.finish();
  return { program, before: [], while: [], warnings: ctx.warnings };
}

/** Fails unless the destination is the root of a mount. A kernel that doesn't tell is taken at its word later. */
function planRequireMount(program: ProgramBuilder, root: RootAccess, { destination }: Mount): void {
  const statx = program.cell('statx', STATX_SIZE);
  const [isMount, known] = [program.label('isMount'), program.label('known')];
  root.open(destination, root.target);
  program.call('statx', [valueIn(root.target), '', AT.EMPTY_PATH, STATX.TYPE, addressOf(statx)]);
  program.call('close', [valueIn(root.target)]);
  program.jumpIf(valueIn(statx, ATTRIBUTES), '&', MOUNT_ROOT, isMount);
  program.jumpIf(valueIn(statx, ATTRIBUTES_MASK), '&', MOUNT_ROOT, known);
  program.jump(isMount);
  program.place(known);
  program.fail(null, 0, ERRNO.EINVAL, 'nothing is mounted there');
  program.place(isMount);
}

/** The kernel's file systems and what is below them: mounts there hide something. */
function requireRemovable({ destination }: Mount, field: string): void {
  const path = relativeToRoot(destination);
  if (path !== '.' && !/^(proc|sys)(\/|$)/.test(path)) return;
  throw new RuntsError(
    'E_CONFIG_INVALID',
    `${field}: ${JSON.stringify(destination)} can’t be removed: the container is made of it`,
    { field },
  );
}

/** Into the container's namespaces, as a child that is root there; gives its root. */
function planJoinMounts(ctx: PlanContext, namespaces: readonly LinuxNamespace[]): RootAccess {
  const { program } = ctx;
  const pid = program.cell('pid');
  const child = program.label('child');
  const enterLast = planEnter(program, namespaces);
  const args = words('clone_args', [CLONE.PARENT, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
  program.call('clone3', [args, CLONE_ARGS_SIZE], { store: pid });
  program.jumpIf(valueIn(pid), '==', 0, child);
  program.notify(TAG.INIT, valueIn(pid));
  program.call('exit_group', [0]);
  program.place(child);
  enterLast();
  if (ctx.userNamespace) planBecomeRoot(ctx);
  program.call('umask', [0], { note: 'modes are meant as given' });
  const root = new RootAccess(program);
  program.call('openat', [AT.FDCWD, '/', O.PATH | O.DIRECTORY | O.CLOEXEC], { store: root.fd });
  return root;
}

function planDone({ program }: PlanContext): void {
  program.notify(TAG.READY);
  program.call('exit_group', [0]);
}
