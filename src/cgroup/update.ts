/**
 * Changes the limits of a container that is there.
 *
 * @module
 */

import { type CgroupState, cgroupDirectory } from '../container/state.ts';
import { RuntsError } from '../errors.ts';
import type { LinuxCPU, LinuxMemory, LinuxResources } from '../spec/types.ts';
import { applyWrite, applyWrites } from './apply.ts';
import { readControl } from './control.ts';
import { limitWrites } from './controllers/index.ts';
import { decimal, type Write } from './write.ts';

/**
 * Sets what `change` has and leaves the rest as it is. When a limit is refused, those that were set before it are
 * set back; the error says so, or what could not be.
 *
 * Device rules are replaced when `change` has any, and left alone otherwise: hooks and tools may have changed them.
 *
 * @param current the limits in force, from the container's state
 * @returns the limits in force from now on, for the state
 * @throws RuntsError E_CGROUP, E_CONFIG_INVALID or E_UNSUPPORTED
 */
export async function updateCgroup(
  cgroup: CgroupState,
  change: LinuxResources,
  current: LinuxResources | null,
): Promise<LinuxResources> {
  const before = current ?? {};
  const writes = changeWrites(change, before);
  checkUsage(cgroup, change.memory ?? {}, before.memory ?? {});
  const previous = writes.flatMap((write) => previousOf(cgroup, write));
  if (cgroup.manager === 'systemd') {
    const { setScopeLimits, unitOf } = await import('./systemd/scope.ts');
    setScopeLimits(unitOf(cgroup), writes, change.devices);
  }
  try {
    applyWrites(cgroup, writes);
    if (change.devices !== undefined) await replaceDeviceRules(cgroup, change.devices);
  } catch (error) {
    throw await undo(cgroup, previous, error);
  }
  return mergeResources(before, change);
}

/** What is to be written for a change. Pure. */
export function changeWrites(change: LinuxResources, current: LinuxResources): Write[] {
  const { devices: _, ...limits } = change;
  const completed = { ...limits, cpu: completeCpu(change.cpu, current.cpu) };
  const memory = completeMemory(change.memory, current.memory);
  const writes = limitWrites({ ...completed, memory });
  // A limit that is only there to compute the swap from is not changed.
  return change.memory?.limit ? writes : writes.filter(({ file, field }) => !isLimit(file, field));
}

function isLimit(file: string, field: string): boolean {
  return file === 'memory.max' && field === 'linux.resources.memory.limit';
}

/** Quota and period share a file: what the change does not have stays. */
function completeCpu(change: LinuxCPU | undefined, current: LinuxCPU = {}): LinuxCPU | undefined {
  if (!change?.quota && !change?.period) return change;
  return { ...change, quota: change.quota || current.quota, period: change.period || current.period };
}

/** Swap is given as the sum with memory. */
function completeMemory(change: LinuxMemory | undefined, current: LinuxMemory = {}): LinuxMemory | undefined {
  if (!change?.swap || change.limit) return change;
  return { ...change, limit: current.limit };
}

/** `changes` over `current`, field by field; lists and the values of maps are replaced. */
export function mergeResources(current: LinuxResources, changes: LinuxResources): LinuxResources {
  const merged: Record<string, unknown> = { ...current };
  for (const [name, value] of Object.entries(changes)) {
    if (value === undefined) continue;
    const old = merged[name];
    merged[name] = isObject(old) && isObject(value) ? { ...old, ...defined(value) } : value;
  }
  return merged;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function defined(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

/** memory.checkBeforeUpdate: the kernel would accept a limit below what is used, and kill. */
function checkUsage(cgroup: CgroupState, change: LinuxMemory, current: LinuxMemory): void {
  const { limit = 0, swap = 0 } = change;
  if (!(change.checkBeforeUpdate ?? current.checkBeforeUpdate) || (limit <= 0 && swap <= 0)) return;
  const usage = Number(readControl(`${cgroupDirectory(cgroup)}/memory.current`) ?? 0);
  const reject = (what: string, value: number, name: string): RuntsError =>
    new RuntsError('E_CGROUP', `rejecting ${what} limit ${decimal(value)} < usage ${usage}`, {
      field: `linux.resources.memory.${name}`,
      hint: 'linux.resources.memory.checkBeforeUpdate is set',
    });
  if (swap > 0 && swap < usage) throw reject('memory+swap', swap, 'swap');
  if (limit > 0 && limit < usage) throw reject('memory', limit, 'limit');
}

/** The write that brings back what is there now; none when it can't be told. */
export function previousOf(cgroup: CgroupState, write: Write): Write[] {
  const read = (file: string): string | undefined => readControl(`${cgroupDirectory(cgroup)}/${file}`);
  let { file, value } = write;
  let text = read(file);
  if (text === undefined && write.otherwise !== undefined) {
    ({ file, value } = write.otherwise);
    text = read(file);
  }
  if (text === undefined) return [];
  const { field, tolerate } = write;
  return [{ file, value: previousValue(file, value, text), field, tolerate }];
}

/** What a line of a file with a line for each device is without one. */
const UNSET: Readonly<Record<string, string>> = {
  'io.max': 'rbps=max wbps=max riops=max wiops=max',
  'rdma.max': 'hca_handle=max hca_object=max',
  'io.weight': 'default',
  'io.bfq.weight': 'default',
};

function previousValue(file: string, value: string, text: string): string {
  const unset = UNSET[file];
  if (unset === undefined) return text;
  const [key = ''] = value.split(' ');
  // A weight for all devices stands without a key.
  const line = text.split('\n').find((each) => each.startsWith(/^\d+$/.test(key) ? 'default ' : `${key} `));
  return line ?? `${key} ${unset}`;
}

/** Sets back; @returns the error to tell. */
async function undo(cgroup: CgroupState, previous: readonly Write[], error: unknown): Promise<unknown> {
  const left: string[] = [];
  if (cgroup.manager === 'systemd') {
    const { setScopeLimits, unitOf } = await import('./systemd/scope.ts');
    try {
      setScopeLimits(unitOf(cgroup), previous);
    } catch {
      left.push('the properties of the unit');
    }
  }
  for (const write of previous) {
    try {
      applyWrite(cgroup, write);
    } catch {
      left.push(write.file);
    }
  }
  if (!(error instanceof RuntsError)) return error;
  const outcome =
    left.length === 0 ? 'nothing was changed' : `changed, and could not be set back: ${left.join(', ')}`;
  const hint = error.details.hint === undefined ? outcome : `${error.details.hint}; ${outcome}`;
  const message = error.details.hint === undefined ? error.message : withoutHint(error);
  return new RuntsError(error.code, message, { ...error.details, hint });
}

function withoutHint({ message, details: { hint = '' } }: RuntsError): string {
  return message.endsWith(` (${hint})`) ? message.slice(0, -hint.length - 3) : message;
}

async function replaceDeviceRules(
  cgroup: CgroupState,
  devices: NonNullable<LinuxResources['devices']>,
): Promise<void> {
  const [{ applyDeviceRules }, { deviceRules }] = await Promise.all([
    import('./devices/apply.ts'),
    import('./devices/rules.ts'),
  ]);
  applyDeviceRules(cgroupDirectory(cgroup), deviceRules(devices));
}
