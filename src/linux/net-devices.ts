/**
 * `linux.netDevices`: moves network devices of the host into the container's network namespace.
 *
 * A device keeps its MTU and hardware address; the kernel takes it down and forgets its addresses, so those are read
 * before and given back after: the permanent ones of global scope. runtime-spec config-linux.md, "Network Devices".
 *
 * @module
 */

import { closeSync, openSync } from '#files';
import { errnoText } from '../../ffi/constants/errno.ts';
import { IFF } from '../../ffi/constants/ioctl.ts';
import { IFA, IFA_F, IFLA, NLM_F, RT_SCOPE_UNIVERSE, RTM } from '../../ffi/constants/netlink.ts';
import { CLONE } from '../../ffi/constants/process.ts';
import { syscall } from '../../ffi/local.ts';
import { RuntsError } from '../errors.ts';
import { log } from '../log.ts';
import type { LinuxNetDevice } from '../spec/types.ts';
import { childPath } from '../spec/violations.ts';
import {
  type Attribute,
  decodeAttributes,
  decodeString,
  decodeUint32,
  encodeString,
  encodeUint32,
  type Message,
  NetlinkError,
  NetlinkSocket,
} from './netlink.ts';

/** struct ifinfomsg: u8 family, u16 type, i32 index, u32 flags, u32 mask of the flags to change. */
const IFINFO_SIZE = 16;
/** struct ifaddrmsg: u8 family, u8 prefix length, u8 flags, u8 scope, u32 index. */
const IFADDR_SIZE = 8;

/** What of an address goes with the device. Its label doesn't: it would hold the old name. */
const KEPT_ATTRIBUTES = [IFA.ADDRESS, IFA.LOCAL, IFA.BROADCAST, IFA.RT_PRIORITY];
const KEPT_FLAGS = IFA_F.NODAD | IFA_F.NOPREFIXROUTE;

const HINTS: Readonly<Record<string, string>> = {
  EPERM: 'moving a device needs CAP_NET_ADMIN on the host and in the container’s user namespace',
  EEXIST: 'choose another with the field name',
  ENODEV: 'the key is the device’s name in the runtime’s network namespace: see /proc/net/dev',
  EINVAL: 'some devices, such as lo and bridges, can’t leave their network namespace',
};

interface Link {
  index: number;
  name: string;
  up: boolean;
}

interface Address {
  family: number;
  prefixLength: number;
  flags: number;
  attributes: Attribute[];
}

/** A device that is in the container now. */
interface Moved {
  link: Link;
  /** Its number there. */
  index: number;
  addresses: readonly Address[];
}

/** Devices that were moved, as long as it isn't certain that the container comes up. */
export interface MovedDevices {
  /** Gives all back as they were: the end of the namespace would destroy the virtual ones. Never throws. */
  giveBack(): void;
  close(): void;
}

/**
 * Moves devices, renames them and sets them up.
 *
 * @param pid - a process in the container's network namespace
 * @throws RuntsError E_INIT that names the device; those that were moved are back on the host
 */
export function moveNetDevices(devices: Readonly<Record<string, LinuxNetDevice>>, pid: number): MovedDevices {
  const what = 'linux.netDevices';
  const namespaces = { host: openNamespace('thread-self', what), container: openNamespace(pid, what) };
  const host = new NetlinkSocket(what);
  const moved: Moved[] = [];
  let inside: NetlinkSocket | undefined;
  const close = (): void => {
    host.close();
    inside?.close();
    for (const fd of Object.values(namespaces)) closeSync(fd);
  };
  const giveBack = (): void => {
    for (const device of moved.splice(0).reverse()) {
      try {
        returnDevice(device, inside!, host, namespaces.host);
      } catch (error) {
        log.warn(
          `${what}: ${device.link.name} is not as it was: ${error instanceof Error ? error.message : error}`,
        );
      }
    }
  };
  try {
    inside = socketIn(namespaces, what);
    // All of them first: nothing is moved for a config that can't be fulfilled.
    const wanted = plan(devices, linksOf(host), linksOf(inside));
    for (const { link, target } of wanted) {
      const field = childPath(what, link.name);
      explain(field, `cannot move ${link.name} into the container as ${JSON.stringify(target)}`, () => {
        const addresses = addressesOf(host, link.index);
        // Noted even if it can't be renamed: the kernel moves first.
        moveDevice(link.index, target, host, inside!, namespaces.container, (index) =>
          moved.push({ link, index, addresses }),
        );
      });
      explain(field, `cannot configure ${JSON.stringify(target)} in the container`, () =>
        configure(moved.at(-1)!, inside!, true),
      );
    }
  } catch (error) {
    giveBack();
    close();
    throw error;
  }
  return { giveBack, close };
}

/** The network namespace of a process. @throws RuntsError E_INIT with the field */
export function openNamespace(pid: number | 'thread-self', field: string): number {
  try {
    return openSync(`/proc/${pid}/ns/net`, 'r');
  } catch (error) {
    throw new RuntsError('E_INIT', `${field}: ${error instanceof Error ? error.message : error}`, {
      field,
      cause: error,
    });
  }
}

/** A socket in the container's namespace: it belongs to the one that its thread is in when it is made. */
export function socketIn(
  namespaces: { host: number; container: number },
  what: string,
  protocol?: number,
): NetlinkSocket {
  syscall('setns', [namespaces.container, CLONE.NEWNET], { what, code: 'E_INIT' });
  try {
    return new NetlinkSocket(what, protocol);
  } finally {
    syscall('setns', [namespaces.host, CLONE.NEWNET], { what, code: 'E_INTERNAL' });
  }
}

function linksOf(socket: NetlinkSocket): Link[] {
  return socket.dump(RTM.GETLINK, linkBody(0)).map(decodeLink);
}

function decodeLink({ payload }: Message): Link {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  const name = decodeAttributes(payload, IFINFO_SIZE).get(IFLA.IFNAME);
  return {
    index: view.getInt32(4, true),
    name: name === undefined ? '' : decodeString(name),
    up: (view.getUint32(8, true) & IFF.UP) !== 0,
  };
}

function linkBody(index: number, flags = 0, changed = 0): Uint8Array {
  const body = new Uint8Array(IFINFO_SIZE);
  const view = new DataView(body.buffer);
  view.setInt32(4, index, true);
  view.setUint32(8, flags, true);
  view.setUint32(12, changed, true);
  return body;
}

/** The addresses of a device that mean something in any namespace: set by somebody, and valid everywhere. */
function addressesOf(socket: NetlinkSocket, index: number): Address[] {
  return socket.dump(RTM.GETADDR, new Uint8Array(IFADDR_SIZE)).flatMap(({ payload }) => {
    const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
    const attributes = decodeAttributes(payload, IFADDR_SIZE);
    const wide = attributes.get(IFA.FLAGS);
    const flags = wide === undefined ? view.getUint8(2) : decodeUint32(wide);
    const kept =
      view.getUint32(4, true) === index &&
      view.getUint8(3) === RT_SCOPE_UNIVERSE &&
      (flags & IFA_F.PERMANENT) !== 0;
    if (!kept) return [];
    return [
      {
        family: view.getUint8(0),
        prefixLength: view.getUint8(1),
        flags: flags & KEPT_FLAGS,
        attributes: KEPT_ATTRIBUTES.flatMap((type): Attribute[] => {
          const value = attributes.get(type);
          return value === undefined ? [] : [[type, value]];
        }),
      },
    ];
  });
}

/**
 * One request moves and renames: there is no moment at which others see the device under its old name.
 *
 * @param arrived - called with its number in the other namespace, even when the renaming failed
 */
function moveDevice(
  index: number,
  name: string,
  from: NetlinkSocket,
  to: NetlinkSocket,
  namespace: number,
  arrived: (index: number) => void,
): void {
  const before = new Set(linksOf(to).map((link) => link.index));
  try {
    from.change(RTM.NEWLINK, 0, linkBody(index), [
      [IFLA.NET_NS_FD, encodeUint32(namespace)],
      [IFLA.IFNAME, encodeString(name)],
    ]);
  } finally {
    // Its number may be another one now, and a name such as eth%d is the kernel's to complete.
    const link = linksOf(to).find((other) => !before.has(other.index));
    if (link !== undefined) arrived(link.index);
  }
}

/** Addresses first: a device that is up without them would be seen so. */
function configure({ index, addresses }: Moved, socket: NetlinkSocket, up: boolean): void {
  for (const { family, prefixLength, flags, attributes } of addresses) {
    const body = new Uint8Array(IFADDR_SIZE);
    const view = new DataView(body.buffer);
    view.setUint8(0, family);
    view.setUint8(1, prefixLength);
    view.setUint8(3, RT_SCOPE_UNIVERSE);
    view.setUint32(4, index, true);
    socket.change(RTM.NEWADDR, NLM_F.CREATE | NLM_F.EXCL, body, [
      ...attributes,
      [IFA.FLAGS, encodeUint32(flags)],
    ]);
  }
  if (up) socket.change(RTM.NEWLINK, 0, linkBody(index, IFF.UP, IFF.UP), []);
}

function returnDevice(
  { link, index, addresses }: Moved,
  inside: NetlinkSocket,
  host: NetlinkSocket,
  namespace: number,
): void {
  moveDevice(index, link.name, inside, host, namespace, (back) =>
    configure({ link, index: back, addresses }, host, link.up),
  );
}

/** Which device becomes which. A name with `%d` is the kernel's to choose. */
function plan(
  devices: Readonly<Record<string, LinuxNetDevice>>,
  outside: readonly Link[],
  inside: readonly Link[],
): { link: Link; target: string }[] {
  return Object.entries(devices).map(([name, device]) => {
    const link = outside.find((other) => other.name === name);
    const target = device.name || name;
    const refuse = (what: string, errno: string): RuntsError => {
      const field = childPath('linux.netDevices', name);
      return new RuntsError('E_INIT', `${field}: ${what} (${errno})`, { field, errno, hint: HINTS[errno] });
    };
    if (link === undefined) throw refuse('no such network device on the host', 'ENODEV');
    if (inside.some((other) => other.name === target)) {
      throw refuse(`the container has a device ${JSON.stringify(target)} already`, 'EEXIST');
    }
    return { link, target };
  });
}

/** Turns the kernel's refusal into an error of the field. */
function explain<T>(field: string, what: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (!(error instanceof NetlinkError)) throw error;
    const detail = error.text === '' ? '' : `: ${error.text}`;
    throw new RuntsError('E_INIT', `${field}: ${what}: ${errnoText(error.errno)} (${error.errno})${detail}`, {
      field,
      syscall: 'rtnetlink',
      errno: error.errno,
      hint: HINTS[error.errno],
      cause: error,
    });
  }
}
