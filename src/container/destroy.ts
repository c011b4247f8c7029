/**
 * Undoes what `create` did: processes, cgroup, state, and then the poststop hooks.
 *
 * @module
 */

import { removeCgroup, removeEmptyCgroup } from '../cgroup/remove.ts';
import { outputOf } from './annotated.ts';
import { killAndWait, type Target } from './signal.ts';
import { type ContainerState, cgroupDirectory, removeStateDirectory } from './state.ts';
import { ociState } from './status.ts';

/**
 * Removes what there is of a container on the host. The caller holds its lock. Mounts go with the last process of the
 * container's mount namespace; of a container without one they are undone here.
 *
 * The state folder goes last, so that after a failure on the way `delete` can be tried again.
 *
 * @throws RuntsError E_CGROUP, E_WRONG_STATE, E_ROOT for what can't be removed
 */
export async function destroy(
  root: string,
  id: string,
  target: Target &
    Pick<Partial<ContainerState>, 'resctrl' | 'rootfs' | 'mountsBefore'> & { emptied?: string },
): Promise<void> {
  await killAndWait(target);
  if (target.mountsBefore !== undefined && target.rootfs !== undefined) {
    const { unmountRoot } = await import('../linux/unmount.ts');
    unmountRoot(target.rootfs, target.mountsBefore);
  }
  if (target.resctrl !== undefined) {
    const { removeResctrl } = await import('../linux/resctrl.ts');
    removeResctrl(target.resctrl);
  }
  if (target.cgroup !== null) {
    if (target.cgroup.manager === 'systemd') {
      const { removeScope, unitOf } = await import('../cgroup/systemd/scope.ts');
      removeScope(unitOf(target.cgroup));
    }
    removeCgroup(cgroupDirectory(target.cgroup));
  }
  if (target.emptied !== undefined) removeEmptyCgroup(target.emptied);
  removeStateDirectory(root, id);
}

/**
 * Runs the poststop hooks of a container that is gone; runtime.md, Lifecycle 13. A failing hook is only warned of.
 */
export async function runPoststop(state: ContainerState): Promise<void> {
  const hooks = state.hooks.poststop;
  if (hooks.length === 0) return;
  const { runHooks } = await import('../hooks/run.ts');
  await runHooks('poststop', hooks, ociState(state, 'stopped'), { output: await outputOf(state) });
}
