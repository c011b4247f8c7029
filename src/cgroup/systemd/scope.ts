/**
 * A container's cgroup as a scope of systemd: a transient unit around init, made over D-Bus.
 *
 * A scope is made of processes that exist already, so init is cloned outside of it, waits, and is moved by systemd
 * into the scope's cgroup; only then does it go on, so that its cgroup namespace has the right root.
 *
 * @see org.freedesktop.systemd1(5); systemd.scope(5)
 * @module
 */

import { readFileSync } from '#files';
import type { CgroupState } from '../../container/state.ts';
import { RuntsError } from '../../errors.ts';
import { processCgroup } from '../../linux/procfs.ts';
import { log } from '../../log.ts';
import type { LinuxResources } from '../../spec/types.ts';
import { deviceRules } from '../devices/rules.ts';
import type { Write } from '../write.ts';
import { type Bus, type BusRefusal, isRefusal, openBus } from './bus.ts';
import type { ScopeName } from './names.ts';
import { deviceProperties, limitProperties, scopeProperties } from './properties.ts';
import type { Property, Value } from './values.ts';

/** A started scope. */
export interface Scope {
  /** Its cgroup, relative to the mount point, with a leading slash. */
  path: string;
  setLimits(writes: readonly Write[], devices: LinuxResources['devices']): void;
  close(): void;
}

/** Which unit, and whose; CgroupState has it. */
export type UnitRef = Pick<ScopeName, 'unit' | 'user'>;

const DESTINATION = 'org.freedesktop.systemd1';
const PATH = '/org/freedesktop/systemd1';
const MANAGER = 'org.freedesktop.systemd1.Manager';
const NO_SUCH_UNIT = 'org.freedesktop.systemd1.NoSuchUnit';
const UNIT_EXISTS = 'org.freedesktop.systemd1.UnitExists';

/** How long a job of systemd is waited for. */
const JOB_TIMEOUT_MS = 30_000;

/**
 * Makes the scope and waits until init is in it.
 *
 * @param pid of init
 * @param onAsk is called before systemd is asked: from then on there may be a unit to remove
 * @throws RuntsError E_CGROUP
 */
export function startScope(
  name: ScopeName,
  pid: number,
  annotations: Readonly<Record<string, string>>,
  onAsk: () => void,
): Scope {
  const properties = scopeProperties(
    name,
    `runts container ${name.unit.replace(/\.scope$/, '')}`,
    pid,
    annotations,
  );
  const bus = openBus(name.user);
  try {
    watchJobs(bus);
    onAsk();
    finishJob(bus, startUnit(bus, name.unit, properties), `start unit ${name.unit}`);
    return {
      path: placeOf(pid, name.unit),
      setLimits: (writes, devices) => setLimits(bus, name, writes, devices),
      close: () => bus.close(),
    };
  } catch (error) {
    bus.close();
    throw error;
  }
}

/**
 * Sets limits of a scope that is there, for `update`.
 *
 * @param writes of limits; the files are written by the caller
 * @param devices rules from now on; undefined leaves them as they are
 * @throws RuntsError E_CGROUP
 */
export function setScopeLimits(
  unit: UnitRef,
  writes: readonly Write[],
  devices?: LinuxResources['devices'],
): void {
  const bus = openBus(unit.user);
  try {
    setLimits(bus, unit, writes, devices);
  } finally {
    bus.close();
  }
}

/**
 * Stops the scope and forgets its failure, so that its name is free again. One that is gone is fine; a systemd that
 * can't be asked is only warned of, since it forgets an empty scope by itself.
 */
export function removeScope({ unit, user }: UnitRef): void {
  try {
    const bus = openBus(user);
    try {
      watchJobs(bus);
      const stopped = manager(bus, 'StopUnit', [text(unit), text('replace')], 'o');
      if (!isRefusal(stopped)) finishJob(bus, String(stopped[0]), `stop unit ${unit}`);
      else if (stopped.name !== NO_SUCH_UNIT) throw refused(`stop unit ${unit}`, stopped);
      // After an out-of-memory kill it is `failed`; else the answer is that there is no such unit.
      manager(bus, 'ResetFailedUnit', [text(unit)]);
    } finally {
      bus.close();
    }
  } catch (error) {
    log.warn(error instanceof Error ? error.message : String(error));
  }
}

/** The unit of a container; the state may be one of which little could be read. */
export function unitOf({ path, unit, user }: CgroupState): UnitRef {
  return {
    unit: unit ?? path.slice(path.lastIndexOf('/') + 1),
    user: user ?? process.geteuid?.() !== 0,
  };
}

const text = (value: string): Value => ({ type: 's', value });

function manager(bus: Bus, member: string, args: readonly Value[], results = ''): ReturnType<Bus['call']> {
  return bus.call(
    { destination: DESTINATION, path: PATH, interface: MANAGER, member, arguments: args },
    results,
  );
}

function refused(what: string, { name, message }: BusRefusal, hint?: string): RuntsError {
  return new RuntsError('E_CGROUP', `cannot ${what}: systemd: ${message || name}`, {
    field: 'linux.cgroupsPath',
    hint: hint ?? HINTS[name],
  });
}

const HINTS: Readonly<Record<string, string>> = {
  [UNIT_EXISTS]: 'a unit of this name is in use: choose another id or linux.cgroupsPath',
  'org.freedesktop.DBus.Error.AccessDenied':
    'polkit does not allow it: run as root, or use the user’s own systemd',
  'org.freedesktop.DBus.Error.InteractiveAuthorizationRequired':
    'polkit does not allow it: run as root, or use the user’s own systemd',
  'org.freedesktop.DBus.Error.ServiceUnknown': 'systemd is not on this bus',
};

/** The end of a job comes as a signal, which the bus only passes on when it is asked to before. */
function watchJobs(bus: Bus): void {
  const rule = `type='signal',sender='${DESTINATION}',path='${PATH}',interface='${MANAGER}',member='JobRemoved'`;
  const answer = bus.call({
    destination: 'org.freedesktop.DBus',
    path: '/org/freedesktop/DBus',
    interface: 'org.freedesktop.DBus',
    member: 'AddMatch',
    arguments: [text(rule)],
  });
  if (isRefusal(answer)) throw refused('wait for systemd', answer);
}

/** @returns the job's object path */
function startUnit(bus: Bus, unit: string, properties: readonly Property[]): string {
  const args: Value[] = [
    text(unit),
    text('replace'),
    { type: 'a(sv)', value: properties.map(({ name, type, value }) => [name, { type, value }]) },
    { type: 'a(sa(sv))', value: [] },
  ];
  for (let again = true; ; again = false) {
    const answer = manager(bus, 'StartTransientUnit', args, 'o');
    if (!isRefusal(answer)) return String(answer[0]);
    // What is left of a failed unit of this name is in the way once.
    if (answer.name !== UNIT_EXISTS || !again) throw refused(`start unit ${unit}`, answer);
    manager(bus, 'ResetFailedUnit', [text(unit)]);
  }
}

function finishJob(bus: Bus, job: string, what: string): void {
  const deadline = performance.now() + JOB_TIMEOUT_MS;
  for (;;) {
    // id, job, unit, result
    const removed = bus.signal(MANAGER, 'JobRemoved', 'uoss', deadline - performance.now());
    if (removed === undefined) {
      throw refused(what, { name: '', message: `no answer within ${JOB_TIMEOUT_MS / 1000} seconds` });
    }
    if (removed[1] !== job) continue;
    if (removed[3] === 'done') return;
    throw refused(what, { name: '', message: `the job ended as ${removed[3]}` }, 'see journalctl');
  }
}

/** Where systemd has put the process. */
function placeOf(pid: number, unit: string): string {
  const path = processCgroup(pid);
  if (path?.endsWith(`/${unit}`)) return path;
  throw new RuntsError('E_CGROUP', `cannot find the cgroup of unit ${unit}: process ${pid} is in ${path}`, {
    field: 'linux.cgroupsPath',
    hint: 'systemd must manage the cgroup v2 hierarchy that the runtime sees',
  });
}

function setLimits(
  bus: Bus,
  { unit, user }: UnitRef,
  writes: readonly Write[],
  devices: LinuxResources['devices'],
): void {
  let known: number | undefined;
  const version = (): number => {
    known ??= systemdVersion(bus);
    return known;
  };
  const properties = limitProperties(writes, version);
  // A user's systemd can't load programs.
  if (devices !== undefined && !user) {
    properties.push(...deviceProperties(deviceRules(devices), procDevices()));
  }
  if (properties.length === 0) return;
  const answer = manager(bus, 'SetUnitProperties', [
    text(unit),
    // until the unit or the machine stops
    { type: 'b', value: true },
    { type: 'a(sv)', value: properties.map(({ name, type, value }) => [name, { type, value }]) },
  ]);
  if (isRefusal(answer)) throw refused(`set properties of unit ${unit}`, answer);
}

function procDevices(): string {
  try {
    return readFileSync('/proc/devices', 'latin1');
  } catch {
    return '';
  }
}

/** `252` of `252.39-1~deb12u1`. */
function systemdVersion(bus: Bus): number {
  const answer = bus.call(
    {
      destination: DESTINATION,
      path: PATH,
      interface: 'org.freedesktop.DBus.Properties',
      member: 'Get',
      arguments: [text(MANAGER), text('Version')],
    },
    'v',
  );
  if (isRefusal(answer)) throw refused('ask systemd for its version', answer);
  return Number(/\d+/.exec(String(answer[0]))?.[0] ?? 0);
}
