/**
 * `runts update`: changes the limits of a container that is there.
 *
 * @module
 */

import { oomKills } from '../cgroup/oom.ts';
import { updateCgroup } from '../cgroup/update.ts';
import type { CommandContext } from '../cli/types.ts';
import { withLockAsync } from '../container/lock.ts';
import { cgroupOf, find, whileAlive } from '../container/running.ts';
import { type ContainerState, stateDirectory, writeState } from '../container/state.ts';
import { resourcesOfFlags } from '../container/update-flags.ts';
import { changedResources, meaningful } from '../container/update-merge.ts';
import { notRunning, RuntsError } from '../errors.ts';
import { log } from '../log.ts';
import { readJsonFileOrPipe, readJsonInput } from '../spec/json-file.ts';
import type { LinuxIntelRdt, LinuxResources } from '../spec/types.ts';
import { validateResourcesObject, withoutNulls } from '../spec/validate.ts';
import { invalid } from '../spec/violations.ts';

export async function run(ctx: CommandContext): Promise<number> {
  const id = ctx.operands[0] ?? '';
  const { root } = ctx.global;
  checkUpdatable(root, id);
  const change = meaningful(wanted(ctx));
  const rdt = resctrlOf(ctx);
  if (Object.keys(change).length === 0 && rdt === undefined) {
    log.info('nothing to change');
    return 0;
  }
  await withLockAsync(stateDirectory(root, id), async () => {
    const state = checkUpdatable(root, id);
    await whileAlive(state, async () => {
      if (rdt !== undefined) await updateResctrl(state, rdt);
      if (Object.keys(change).length > 0) await updateLimits(state, change);
    });
  });
  return 0;
}

async function updateLimits(state: ContainerState, change: LinuxResources): Promise<void> {
  const cgroup = cgroupOf(state);
  const killed = oomKills(cgroup);
  await updateCgroup(cgroup, change, state.resources);
  state.resources = changedResources(state.resources ?? {}, change);
  writeState(state);
  warnOfKills(oomKills(cgroup) - killed);
}

/** A limit below what is in use is no error to the kernel: it makes room. */
function warnOfKills(count: number): void {
  if (count <= 0) return;
  const who = count === 1 ? 'a process' : `${count} processes`;
  log.warn(`linux.resources.memory.limit: the kernel killed ${who} of the container, which used more`);
}

/** Created, running and paused containers have limits to change. */
function checkUpdatable(root: string, id: string): ContainerState {
  const { state, status } = find(root, id);
  if (status === 'stopped' || status === 'creating') throw notRunning();
  return state;
}

/** The change: of --resources, which all other flags give way to as with runc, or of the flags. */
function wanted(ctx: CommandContext): LinuxResources {
  for (const name of ['kernel-memory', 'kernel-memory-tcp']) {
    if (ctx.flags[name] !== undefined) log.warn(`--${name} is ignored: cgroup v2 has no such limit`);
  }
  const file = ctx.flags.resources;
  const what = 'resources';
  let resources: unknown;
  if (typeof file === 'string' && file !== '') {
    const { value } = file === '-' ? readJsonInput(what) : readFile(file, what);
    resources = withoutNulls(value);
  } else {
    resources = resourcesOfFlags(ctx.flags);
  }
  const violations = validateResourcesObject(resources);
  if (violations.length > 0) throw invalid(what, violations);
  return resources as LinuxResources;
}

function readFile(path: string, what: string): { value: unknown } {
  try {
    return readJsonFileOrPipe(path, `${what} file`);
  } catch (cause) {
    if (cause instanceof RuntsError) throw cause;
    throw new RuntsError('E_CONFIG_MISSING', `--resources: ${JSON.stringify(path)}: no such file`, {
      errno: 'ENOENT',
      hint: 'a file with a JSON object as of linux.resources, or - for standard input',
      cause,
    });
  }
}

function resctrlOf(ctx: CommandContext): LinuxIntelRdt | undefined {
  const text = (name: string): string | undefined => {
    const value = ctx.flags[name];
    return typeof value === 'string' && value !== '' ? value : undefined;
  };
  const l3CacheSchema = text('l3-cache-schema');
  const memBwSchema = text('mem-bw-schema');
  if (l3CacheSchema === undefined && memBwSchema === undefined) return undefined;
  return { l3CacheSchema, memBwSchema };
}

async function updateResctrl(state: ContainerState, rdt: LinuxIntelRdt): Promise<void> {
  if (state.resctrl === undefined || state.init === null) {
    const flag = rdt.l3CacheSchema === undefined ? '--mem-bw-schema' : '--l3-cache-schema';
    throw new RuntsError('E_UNSUPPORTED', `${flag}: container ${state.id} has no class of service`, {
      hint: 'its config.json must have linux.intelRdt',
    });
  }
  const { applyResctrl } = await import('../linux/resctrl.ts');
  // Whoever made the class: here the caller says what it is to have.
  applyResctrl({ ...state.resctrl, own: true }, rdt, state.init.pid);
}
