/**
 * The first stage: join namespaces, make the user namespace, and clone the container's init into the rest.
 *
 * Order as runtime-spec config-linux.md and user_namespaces(7) need it: everything that a new namespace is to be owned
 * by comes before it. The cgroup namespace is unshared by init itself, because its root is the cgroup of whoever calls.
 *
 * @module
 */

import { AF, AT, CLONE, IFF, O, PR, SIOC, SOCK } from '../../ffi/constants/index.ts';
import type { Cell } from '../../ffi/program.ts';
import { addressOf, valueIn, words } from '../../ffi/program.ts';
import type { Linux, LinuxNamespace } from '../spec/types.ts';
import { FD, TAG, waitForParent } from './protocol.ts';
import { planOpenOffsets, planTimeNamespace } from './time.ts';
import type { PlanContext, PlanOptions } from './types.ts';

type NamespaceType = LinuxNamespace['type'];

/** CLONE_NEW* of each namespace type. */
export const NAMESPACE_FLAGS: Record<NamespaceType, number> = {
  pid: CLONE.NEWPID,
  network: CLONE.NEWNET,
  mount: CLONE.NEWNS,
  ipc: CLONE.NEWIPC,
  uts: CLONE.NEWUTS,
  user: CLONE.NEWUSER,
  cgroup: CLONE.NEWCGROUP,
  time: CLONE.NEWTIME,
};

/** sizeof(struct clone_args) with the cgroup field (Linux 5.7), clone(2). */
const CLONE_ARGS_SIZE = 88;

/** True when the container has a namespace of this type that isn't the runtime's own. */
export function hasNamespace(namespaces: readonly LinuxNamespace[], type: NamespaceType): boolean {
  return namespaces.some((n) => n.type === type);
}

/** True when the runtime makes a namespace of this type, rather than joining one or leaving it alone. */
export function isNewNamespace(namespaces: readonly LinuxNamespace[], type: NamespaceType): boolean {
  return namespaces.some((n) => n.type === type && !n.path);
}

/** Appends stage 1; what is appended after it runs in init. */
export function planNamespaces(ctx: PlanContext, linux: Linux, scratch: Cell): void {
  const { program } = ctx;
  const { namespaces = [], timeOffsets } = linux;
  const newTime = isNewNamespace(namespaces, 'time');
  const offsets = newTime ? planOpenOffsets(ctx, timeOffsets) : undefined;
  // No process of the container may trace us before execve (CVE-2016-9962).
  program.call('prctl', [PR.SET_DUMPABLE, 0], { note: 'no ptrace from the namespaces we join' });
  planJoins(ctx, namespaces);
  if (isNewNamespace(namespaces, 'user')) planUserNamespace(ctx, scratch);
  if (newTime) planTimeNamespace(ctx, fieldOf(namespaces, 'time'), timeOffsets, offsets);
  planClone(ctx, namespaces, scratch);
  if (isNewNamespace(namespaces, 'cgroup')) {
    program.call('unshare', [CLONE.NEWCGROUP], { field: fieldOf(namespaces, 'cgroup') });
  }
  if (isNewNamespace(namespaces, 'network')) {
    program.within(fieldOf(namespaces, 'network'), () => planLoopback(ctx, scratch));
  }
}

function fieldOf(namespaces: readonly LinuxNamespace[], type: NamespaceType): string {
  return `linux.namespaces[${namespaces.findIndex((n) => n.type === type)}]`;
}

/** Opens every path first: after joining a mount namespace they would mean something else. */
function planJoins(ctx: PlanContext, namespaces: readonly LinuxNamespace[]): void {
  const { program, facts } = ctx;
  const joined = namespaces.filter((n) => n.path);
  // Root's capabilities reach into every descendant user namespace, so it joins that one last and keeps its rights for
  // the others; an ordinary user gets rights by joining it first.
  const rank = (n: LinuxNamespace): number =>
    n.type === 'user' ? (facts.euid === 0 ? 2 : 0) : n.type === 'mount' ? 1 : 0.5;
  joined.sort((a, b) => rank(a) - rank(b));
  const opened = joined.map((n) => ({
    n,
    field: fieldOf(namespaces, n.type),
    cell: program.cell(`${n.type}Namespace`),
  }));
  for (const { n, field, cell } of opened) {
    // Not to wait for a writer, should it be a FIFO.
    program.call('openat', [AT.FDCWD, n.path ?? '', O.RDONLY | O.NONBLOCK | O.CLOEXEC], {
      store: cell,
      field: `${field}.path`,
    });
  }
  for (const { n, field, cell } of opened) {
    program.call('setns', [valueIn(cell), NAMESPACE_FLAGS[n.type]], { field: `${field}.path` });
    program.call('close', [valueIn(cell)], { field });
  }
  if (joined.some((n) => n.type === 'user')) planBecomeRoot(ctx);
}

/** The parent writes the maps; only then is anybody root here. */
function planUserNamespace(ctx: PlanContext, scratch: Cell): void {
  const { program } = ctx;
  program.within('linux.uidMappings', () => {
    program.call('unshare', [CLONE.NEWUSER]);
    // an unprivileged parent may write /proc/PID/uid_map of a dumpable process only
    if (ctx.facts.euid !== 0) program.call('prctl', [PR.SET_DUMPABLE, 1]);
    program.notify(TAG.MAP_IDS, 0, null, 0, 'write uid_map and gid_map');
    waitForParent(program, scratch, 'until they are written');
    planBecomeRoot(ctx);
  });
}

/** Root of the user namespace that was just entered. */
export function planBecomeRoot(ctx: PlanContext): void {
  ctx.program.call('setresgid', [0, 0, 0]);
  ctx.program.call('setresuid', [0, 0, 0]);
  // a change of ids makes it what the sysctl fs.suid_dumpable says
  ctx.program.call('prctl', [PR.SET_DUMPABLE, 0]);
}

/** Whether init begins its life in its cgroup. systemd only takes a process that is there, so then it is moved. */
export function clonesIntoCgroup({ cgroupPath, scope }: PlanOptions): boolean {
  return cgroupPath !== null && scope === undefined;
}

/**
 * Clones init as a child of the runtime (CLONE_PARENT) directly into its cgroup, and ends this process.
 *
 * Where the kernel refuses the cgroup (a v2 domain that may hold no process, or a joined cgroup namespace that doesn’t
 * reach it), init is cloned without and the parent moves it: a write to cgroup.procs costs an RCU grace period, so that
 * is the exception.
 */
function planClone(ctx: PlanContext, namespaces: readonly LinuxNamespace[], scratch: Cell): void {
  const { program } = ctx;
  let flags: number = CLONE.PARENT;
  for (const n of namespaces) {
    if (!n.path && n.type !== 'user' && n.type !== 'cgroup' && n.type !== 'time')
      flags |= NAMESPACE_FLAGS[n.type];
  }
  const pid = program.cell('pid');
  const placed = program.label('placed');
  const unplaced = program.label('unplaced');
  const init = program.label('init');
  const cloneArgs = (all: number | bigint, cgroup: 'cgroup' | 'none'): ReturnType<typeof words> =>
    words('clone_args', [all, 0, 0, 0, 0, 0, 0, 0, 0, 0, cgroup === 'cgroup' ? FD.cgroup : 0]);
  const cloneUnplaced = (): void => {
    const waiting = program.label('unplacedInit');
    program.call('clone3', [cloneArgs(flags, 'none'), CLONE_ARGS_SIZE], { store: pid });
    program.jumpIf(valueIn(pid), '==', 0, waiting);
    program.notify(TAG.INIT_UNPLACED, valueIn(pid), null, 0, 'move it into its cgroup');
    program.call('exit_group', [0]);
    program.place(waiting);
    waitForParent(program, scratch, 'until it is in its cgroup');
  };
  program.within('linux.namespaces', () => {
    if (ctx.options.scope !== undefined) {
      cloneUnplaced();
      return;
    }
    if (clonesIntoCgroup(ctx.options)) {
      program.call('clone3', [cloneArgs(BigInt(flags) | CLONE.INTO_CGROUP, 'cgroup'), CLONE_ARGS_SIZE], {
        store: pid,
        tolerate: ['EBUSY', 'EOPNOTSUPP', 'EACCES', 'ENOENT'],
        goto: unplaced,
      });
      program.jumpIf(valueIn(pid), '==', 0, init);
      program.jump(placed);
      program.place(unplaced);
      cloneUnplaced();
      program.jump(init);
      program.place(placed);
    } else {
      program.call('clone3', [cloneArgs(flags, 'none'), CLONE_ARGS_SIZE], { store: pid });
      program.jumpIf(valueIn(pid), '==', 0, init);
    }
    program.notify(TAG.INIT, valueIn(pid), null, 0, 'the container’s init');
    program.call('exit_group', [0]);
    program.place(init);
  });
}

/** Brings `lo` up: a network namespace is born with it down. struct ifreq: name[16], flags. */
function planLoopback(ctx: PlanContext, scratch: Cell): void {
  const { program } = ctx;
  const request = program.cell('ifreq', 40);
  program.call('socket', [AF.INET, SOCK.DGRAM | SOCK.CLOEXEC, 0], { store: scratch });
  program.set(request, 0x6f6c, '', 0, 0); // "lo"
  program.set(request, IFF.UP | IFF.RUNNING, '', 0, 16);
  program.call('ioctl', [valueIn(scratch), SIOC.SIFFLAGS, addressOf(request)], { note: 'lo up' });
  program.call('close', [valueIn(scratch)]);
}
