/**
 * /dev: the devices and symlinks that every container has, `linux.devices`, and the console.
 *
 * runtime-spec config-linux.md, "Default Devices" and "Dev symbolic links".
 *
 * @module
 */

import { posix } from 'node:path';
import { ACCESS, AT, ERRNO, MOVE_MOUNT, O, S, STATX } from '../../ffi/constants/index.ts';
import type { Cell, Label } from '../../ffi/program.ts';
import { addressOf, valueIn } from '../../ffi/program.ts';
import type { LinuxDevice } from '../spec/types.ts';
import type { RootAccess } from './root.ts';
import { cloneTree } from './root.ts';
import type { PlanContext } from './types.ts';

/** A device as it is to be made. */
interface Device {
  path: string;
  type: string;
  major: number;
  minor: number;
  mode: number;
  uid: number;
  gid: number;
  /** By the config; the others are those that every container has. */
  listed: boolean;
  field: string;
}

const DEFAULT_DEVICES: readonly (readonly [path: string, major: number, minor: number])[] = [
  ['/dev/null', 1, 3],
  ['/dev/zero', 1, 5],
  ['/dev/full', 1, 7],
  ['/dev/random', 1, 8],
  ['/dev/urandom', 1, 9],
  ['/dev/tty', 5, 0],
];

const SYMLINKS: readonly (readonly [target: string, name: string])[] = [
  ['/proc/self/fd', 'fd'],
  ['/proc/self/fd/0', 'stdin'],
  ['/proc/self/fd/1', 'stdout'],
  ['/proc/self/fd/2', 'stderr'],
];

/** sizeof(struct statx), statx(2). */
const STATX_SIZE = 256;

const FILE_TYPE: Record<string, number> = { c: S.IFCHR, u: S.IFCHR, b: S.IFBLK, p: S.IFIFO };

/** Device number as the kernel's 32-bit encoding (makedev(3)). */
export function makeDevice(major: number, minor: number): number {
  return (minor & 0xff) | ((major & 0xfff) << 8) | ((minor & ~0xff) << 12);
}

/** A device of the config with the path of a default one takes its place. */
function devicesToMake(devices: readonly LinuxDevice[]): Device[] {
  const made = new Map<string, Device>();
  for (const [path, major, minor] of DEFAULT_DEVICES) {
    made.set(path, {
      path,
      type: 'c',
      major,
      minor,
      mode: 0o666,
      uid: 0,
      gid: 0,
      listed: false,
      field: 'linux.devices',
    });
  }
  devices.forEach((d, i) => {
    const path = posix.normalize(d.path);
    made.set(path, {
      path,
      type: d.type,
      major: d.major ?? 0,
      minor: d.minor ?? 0,
      mode: d.fileMode ?? 0o666,
      uid: d.uid ?? 0,
      gid: d.gid ?? 0,
      listed: true,
      field: `linux.devices[${i}]`,
    });
  });
  return [...made.values()];
}

/** Appends the devices, symlinks and /dev/ptmx. */
export function planDevices(ctx: PlanContext, root: RootAccess, devices: readonly LinuxDevice[]): void {
  const { program } = ctx;
  const dev = program.cell('dev');
  const other = program.cell('parent');
  const outcome = program.cell('made');
  const tree = program.cell('device');
  const target = program.cell('node');
  root.ensureDirectory('/dev', dev);
  for (const device of devicesToMake(devices)) {
    program.within(device.field, () => {
      const inDev = posix.dirname(device.path) === '/dev';
      if (!inDev) root.ensureDirectory(posix.dirname(device.path), other);
      const parent = inDev ? dev : other;
      if (ctx.userNamespace) bindDevice(ctx, device, parent, tree, target);
      else makeNode(ctx, device, parent, outcome, tree, target);
      if (!inDev) program.call('close', [valueIn(other)]);
    });
  }
  program.within('linux.devices', () => {
    for (const [to, name] of SYMLINKS)
      program.call('symlinkat', [to, valueIn(dev), name], { tolerate: ['EEXIST'] });
    const noCore = program.label('noCore');
    program.call('faccessat2', [AT.FDCWD, '/proc/kcore', ACCESS.F_OK, 0], {
      tolerate: ['ENOENT'],
      goto: noCore,
    });
    program.call('symlinkat', ['/proc/kcore', valueIn(dev), 'core'], { tolerate: ['EEXIST'] });
    program.place(noCore);
    // an image's own /dev/ptmx would reach the host's terminals
    program.call('unlinkat', [valueIn(dev), 'ptmx', 0], { tolerate: ['ENOENT'] });
    program.call('symlinkat', ['pts/ptmx', valueIn(dev), 'ptmx']);
  });
  program.call('close', [valueIn(dev)]);
}

function makeNode(
  ctx: PlanContext,
  device: Device,
  parent: Cell,
  outcome: Cell,
  tree: Cell,
  target: Cell,
): void {
  const { program } = ctx;
  const name = posix.basename(device.path);
  const made = program.label('made');
  program.call(
    'mknodat',
    [
      valueIn(parent),
      name,
      (FILE_TYPE[device.type] ?? S.IFCHR) | (device.mode & 0o7777),
      makeDevice(device.major, device.minor),
    ],
    { store: outcome, tolerate: ['EEXIST', 'EPERM'] },
  );
  if (device.listed) planExisting(ctx, device, parent, outcome, target, made);
  program.jumpIf(valueIn(outcome), '!=', -ERRNO.EPERM, made);
  // no right to make device nodes (a container in a container): the host's own serves
  bindDevice(ctx, device, parent, tree, target);
  program.place(made);
  if (device.uid !== 0 || device.gid !== 0) {
    program.call('fchownat', [valueIn(parent), name, device.uid, device.gid, AT.SYMLINK_NOFOLLOW]);
  }
}

/** What stands in the place of a device of the config must be that device, or it is an error ("Devices"). */
function planExisting(
  ctx: PlanContext,
  device: Device,
  parent: Cell,
  outcome: Cell,
  target: Cell,
  made: Label,
): void {
  const { program } = ctx;
  const statx = program.cell('existing', STATX_SIZE);
  const other = program.label('other');
  const fresh = program.label('fresh');
  program.jumpIf(valueIn(outcome), '!=', -ERRNO.EEXIST, fresh);
  openChild(ctx, parent, posix.basename(device.path), target);
  program.call('statx', [valueIn(target), '', AT.EMPTY_PATH, STATX.TYPE, addressOf(statx)]);
  const type = FILE_TYPE[device.type] ?? S.IFCHR;
  // stx_mode: bits 32 to 47 of the word at 24, of which the upper four are the type
  program.set(outcome, valueIn(statx, 24), '>>', 32);
  program.set(outcome, valueIn(outcome), '&', S.IFMT);
  program.jumpIf(valueIn(outcome), '!=', type, other);
  if (type !== S.IFIFO) {
    // stx_rdev_major and stx_rdev_minor
    const number = BigInt(device.major) | (BigInt(device.minor) << 32n);
    program.jumpIf(valueIn(statx, 128), '!=', number, other);
  }
  program.call('close', [valueIn(target)]);
  program.jump(made);
  program.place(other);
  program.fail(null, 0, ERRNO.EEXIST, 'another file is in the place of the device');
  program.place(fresh);
}

function bindDevice(ctx: PlanContext, device: Device, parent: Cell, tree: Cell, target: Cell): void {
  const { program } = ctx;
  const name = posix.basename(device.path);
  program.call('open_tree', [AT.FDCWD, device.path, cloneTree(false)], { store: tree });
  program.call('mknodat', [valueIn(parent), name, S.IFREG | 0o666, 0], { tolerate: ['EEXIST'] });
  openChild(ctx, parent, name, target);
  program.call('move_mount', [
    valueIn(tree),
    '',
    valueIn(target),
    '',
    MOVE_MOUNT.F_EMPTY_PATH | MOVE_MOUNT.T_EMPTY_PATH,
  ]);
  program.call('close', [valueIn(tree)]);
  program.call('close', [valueIn(target)]);
}

/** One plain component below a descriptor, never a symlink. */
function openChild(ctx: PlanContext, parent: Cell, name: string, into: Cell): void {
  ctx.program.call('openat', [valueIn(parent), name, O.PATH | O.NOFOLLOW | O.CLOEXEC], { store: into });
}
