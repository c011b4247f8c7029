/**
 * /dev: the devices and symlinks that every container has, `linux.devices`, and the console.
 *
 * runtime-spec config-linux.md, "Default Devices" and "Dev symbolic links".
 *
 * @module
 */

import { ACCESS, AT, ERRNO, O, S } from '../../ffi/constants/index.ts';
import type { Cell, CellValue, Label } from '../../ffi/program.ts';
import { bytes, valueIn } from '../../ffi/program.ts';
import { utf8 } from '../../ffi/text.ts';
import { basename, dirname, normalize } from '../paths.ts';
import type { LinuxDevice, Mount } from '../spec/types.ts';
import { planAttach } from './mount-attributes.ts';
import { planFileType, relativeToRoot } from './opened.ts';
import type { RootAccess } from './root.ts';
import { cloneTree } from './root.ts';
import type { PlanContext } from './types.ts';

/** A string, or the address of one. */
type Text = string | CellValue;

/** A device as it is to be made. */
interface Device {
  path: string;
  type: string;
  major: number;
  minor: number;
  mode: number;
  uid: number;
  gid: number;
  field: string;
}

const DEFAULT_DEVICES: readonly (readonly [name: string, major: number, minor: number])[] = [
  ['null', 1, 3],
  ['zero', 1, 5],
  ['full', 1, 7],
  ['random', 1, 8],
  ['urandom', 1, 9],
  ['tty', 5, 0],
];

/** Paths of the devices that every container has; in a user namespace they are the host's, bound. */
export function defaultDevicePaths(): string[] {
  return DEFAULT_DEVICES.map(([name]) => `/dev/${name}`);
}

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

/** Of several with the same path the last one counts. */
function listedDevices(devices: readonly LinuxDevice[]): Device[] {
  const made = new Map<string, Device>();
  devices.forEach((d, i) => {
    const path = normalize(d.path);
    made.set(path, {
      path,
      type: d.type,
      major: d.major ?? 0,
      minor: d.minor ?? 0,
      mode: d.fileMode ?? 0o666,
      uid: d.uid ?? 0,
      gid: d.gid ?? 0,
      field: `linux.devices[${i}]`,
    });
  });
  return [...made.values()];
}

/**
 * Appends the devices, symlinks and /dev/ptmx.
 *
 * @param mounts - of the config: a default device that one of them brings is left to it
 * @param fresh - descriptor of a /dev with nothing in it that we haven't put there; closed
 */
export function planDevices(
  ctx: PlanContext,
  root: RootAccess,
  devices: readonly LinuxDevice[],
  mounts: readonly Mount[],
  fresh: Cell | undefined,
): void {
  const { program } = ctx;
  const dev = fresh ?? program.cell('dev');
  if (fresh === undefined) {
    // The image's own, or what is mounted there: wherever it lies in the root.
    program.call('mkdirat', [valueIn(root.fd), 'dev', 0o755], { tolerate: ['EEXIST'] });
    root.open('/dev', dev, { flags: O.PATH | O.DIRECTORY });
  }
  const listed = listedDevices(devices);
  const taken = new Set(listed.map(({ path }) => path));
  const mounted = mountedDevices(mounts);
  const defaults = DEFAULT_DEVICES.filter(([name]) => !taken.has(`/dev/${name}`) && !mounted.has(name));
  program.within('linux.devices', () => planDefaults(ctx, dev, defaults, fresh !== undefined));
  for (const device of listed) program.within(device.field, () => planListed(ctx, root, device, dev));
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
    if (fresh === undefined || taken.has('/dev/ptmx'))
      program.call('unlinkat', [valueIn(dev), 'ptmx', 0], { tolerate: ['ENOENT'] });
    program.call('symlinkat', ['pts/ptmx', valueIn(dev), 'ptmx']);
  });
  program.call('close', [valueIn(dev)]);
}

/** Names in /dev on which something is mounted that can be seen at the end. */
function mountedDevices(mounts: readonly Mount[]): Set<string> {
  const names = new Set<string>();
  for (const { destination } of mounts) {
    const path = relativeToRoot(destination);
    if (path === 'dev' || path === '.') names.clear();
    else if (path.startsWith('dev/')) names.add(path.slice('dev/'.length));
  }
  return names;
}

/** The devices that every container has. */
function planDefaults(
  ctx: PlanContext,
  dev: Cell,
  devices: readonly (readonly [name: string, major: number, minor: number])[],
  fresh: boolean,
): void {
  if (devices.length === 0) return;
  const { program } = ctx;
  const done = program.label('done');
  if (!ctx.userNamespace) {
    const outcome = program.cell('made');
    const denied = program.label('denied');
    devices.forEach(([name, major, minor], i) => {
      // The right to make device nodes is there for all of them or for none; but none is used for one that exists.
      const probe = i === 0 || !fresh;
      program.call('mknodat', [valueIn(dev), name, S.IFCHR | 0o666, makeDevice(major, minor)], {
        ...(probe ? { store: outcome } : {}),
        tolerate: probe ? ['EEXIST', 'EPERM'] : ['EEXIST'],
      });
      if (probe) program.jumpIf(valueIn(outcome), '==', -ERRNO.EPERM, denied);
    });
    program.jump(done);
    program.place(denied);
  }
  // Without it (in a user namespace, in a container) the host's own serve.
  const size = Math.max(...devices.map(([name]) => name.length)) + '/dev/'.length + 1;
  const table = new Uint8Array(devices.length * size);
  devices.forEach(([name], i) => {
    table.set(utf8(`/dev/${name}`), i * size);
  });
  const path = program.cell('path');
  const name = program.cell('name');
  const left = program.cell('left');
  const again = program.label('again');
  program.set(path, bytes(table, `[${devices.map(([n]) => `"/dev/${n}"`).join(', ')}]`));
  program.set(left, devices.length);
  program.place(again);
  program.set(name, valueIn(path), '+', '/dev/'.length);
  planBindDevice(ctx, valueIn(path), dev, valueIn(name));
  program.set(path, valueIn(path), '+', size);
  program.set(left, valueIn(left), '+', -1);
  program.jumpIf(valueIn(left), '!=', 0, again);
  program.place(done);
}

/** A device of the config. */
function planListed(ctx: PlanContext, root: RootAccess, device: Device, dev: Cell): void {
  const { program } = ctx;
  const folder = dirname(device.path);
  const name = basename(device.path);
  const parent = folder === '/dev' ? dev : root.target;
  if (parent !== dev) root.openTarget(folder, 'folder', device.field);
  // Anybody may make a FIFO.
  if (ctx.userNamespace && device.type !== 'p') planBindDevice(ctx, device.path, parent, name);
  else planNode(ctx, device, parent);
  if (parent !== dev) program.call('close', [valueIn(parent)]);
}

function planNode(ctx: PlanContext, device: Device, parent: Cell): void {
  const { program } = ctx;
  const name = basename(device.path);
  const outcome = program.cell('made');
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
  planExisting(ctx, device, parent, outcome, made);
  program.jumpIf(valueIn(outcome), '!=', -ERRNO.EPERM, made);
  // no right to make device nodes (a container in a container): the host's own serves
  planBindDevice(ctx, device.path, parent, name);
  program.place(made);
  if (device.uid !== 0 || device.gid !== 0) {
    program.call('fchownat', [valueIn(parent), name, device.uid, device.gid, AT.SYMLINK_NOFOLLOW]);
  }
}

/** What stands in the place of a device of the config must be that device, or it is an error ("Devices"). */
function planExisting(ctx: PlanContext, device: Device, parent: Cell, outcome: Cell, made: Label): void {
  const { program } = ctx;
  const target = program.cell('node');
  const statx = program.cell('existing', STATX_SIZE);
  const other = program.label('other');
  const fresh = program.label('fresh');
  program.jumpIf(valueIn(outcome), '!=', -ERRNO.EEXIST, fresh);
  openChild(ctx, parent, basename(device.path), target);
  planFileType(program, target, statx);
  const type = FILE_TYPE[device.type] ?? S.IFCHR;
  program.jumpIf(valueIn(statx), '!=', type, other);
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

/** Binds a device of the host onto a file of its name. */
function planBindDevice(ctx: PlanContext, path: Text, parent: Cell, name: Text): void {
  const { program } = ctx;
  const tree = program.cell('device');
  const target = program.cell('node');
  program.call('open_tree', [AT.FDCWD, path, cloneTree(false)], { store: tree });
  program.call('mknodat', [valueIn(parent), name, S.IFREG | 0o666, 0], { tolerate: ['EEXIST'] });
  openChild(ctx, parent, name, target);
  planAttach(ctx, tree, target);
  program.call('close', [valueIn(tree)]);
  program.call('close', [valueIn(target)]);
}

/** One plain component below a descriptor, never a symlink. */
function openChild(ctx: PlanContext, parent: Cell, name: Text, into: Cell): void {
  ctx.program.call('openat', [valueIn(parent), name, O.PATH | O.NOFOLLOW | O.CLOEXEC], { store: into });
}
