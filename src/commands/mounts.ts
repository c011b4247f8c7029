/**
 * `runts mounts add|remove`: changes the mounts of a container that is there.
 *
 * @module
 */

import type { CommandContext } from '../cli/types.ts';
import { addMounts, removeMounts } from '../container/hot-mounts.ts';
import { withLockAsync } from '../container/lock.ts';
import { find } from '../container/running.ts';
import { type ContainerState, hasMountNamespace, stateDirectory } from '../container/state.ts';
import { notRunning, RuntsError } from '../errors.ts';
import { readJsonFileOrPipe, readJsonInput } from '../spec/json-file.ts';
import type { Mount } from '../spec/types.ts';
import { validateMounts, withoutNulls } from '../spec/validate.ts';
import { invalid } from '../spec/violations.ts';

const ACTIONS: Readonly<Record<string, (state: ContainerState, mounts: readonly Mount[]) => Promise<void>>> =
  {
    add: addMounts,
    remove: removeMounts,
  };

export async function run(ctx: CommandContext): Promise<number> {
  const [action = '', id = '', file = ''] = ctx.operands;
  const act = Object.keys(ACTIONS).includes(action) ? ACTIONS[action] : undefined;
  if (act === undefined) {
    throw new RuntsError('E_USAGE', `mounts: expected add or remove, found ${JSON.stringify(action)}`);
  }
  const { root } = ctx.global;
  mountable(root, id);
  const mounts = readMounts(file);
  await withLockAsync(stateDirectory(root, id), () => act(mountable(root, id), mounts));
  return 0;
}

function mountable(root: string, id: string): ContainerState {
  const { state, status } = find(root, id);
  if (status === 'stopped' || status === 'creating') throw notRunning();
  if (hasMountNamespace(state)) return state;
  throw new RuntsError('E_UNSUPPORTED', `the mounts of container ${id} are the host’s`, {
    field: 'linux.namespaces',
    hint: 'mount on the host',
  });
}

function readMounts(file: string): Mount[] {
  const what = 'mounts file';
  let value: unknown;
  try {
    ({ value } = file === '-' ? readJsonInput(what) : readJsonFileOrPipe(file, what));
  } catch (cause) {
    if (cause instanceof RuntsError) throw cause;
    throw new RuntsError('E_CONFIG_MISSING', `${what} not found: ${JSON.stringify(file)}`, {
      errno: 'ENOENT',
      hint: 'a file with a JSON array as mounts of config.json, or - for standard input',
      cause,
    });
  }
  const inside = typeof value === 'object' && value !== null && 'mounts' in value ? value.mounts : value;
  const mounts = withoutNulls(inside);
  const violations = validateMounts(mounts);
  if (violations.length > 0) throw invalid(what, violations);
  return mounts as Mount[];
}
