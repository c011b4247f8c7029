/**
 * What a container that is being made consists of so far, and how all of it is undone.
 *
 * @module
 */

import { closeSync } from '#files';
import { endChild } from '../../ffi/spawn.ts';
import { type CreatedCgroup, undoCreate } from '../cgroup/create.ts';
import type { Scope } from '../cgroup/systemd/scope.ts';
import type { MovedDevices } from '../linux/net-devices.ts';
import { log } from '../log.ts';
import type { Channel } from './channel.ts';
import { destroy, runPoststop } from './destroy.ts';
import type { Interruption } from './interruption.ts';
import type { Lock } from './lock.ts';
import type { NotifyProxy } from './notify.ts';
import type { Prepared } from './prepare.ts';
import { relock } from './relock.ts';
import type { ContainerState } from './state.ts';

/** What is there so far. */
export class Creation {
  readonly prepared: Prepared;
  readonly state: ContainerState;
  lock: Lock | null = null;
  /** The lock was let go of, for poststart hooks. */
  unlocked = false;
  cgroup: CreatedCgroup | null = null;
  /** The unit that holds the cgroup, with the systemd manager. */
  scope: Scope | null = null;
  /** Descriptors to hand over, by name in the program. */
  readonly handed: Record<string, number> = {};
  channel: Channel | null = null;
  console: number | null = null;
  notify: NotifyProxy | null = null;
  netDevices: MovedDevices | null = null;
  executor = 0;
  init = 0;

  constructor(
    prepared: Prepared,
    state: ContainerState,
    readonly interruption: Interruption,
  ) {
    this.prepared = prepared;
    this.state = state;
  }

  closeHanded(): void {
    for (const fd of Object.values(this.handed)) closeSync(fd);
    for (const name of Object.keys(this.handed)) delete this.handed[name];
  }
}

/** Undoes what was done. The error that led here is the one to tell, so nothing is thrown. */
export async function abandon(creation: Creation): Promise<void> {
  const { state } = creation;
  creation.closeHanded();
  // End of file on the socket ends whatever of the executor waits for us.
  creation.channel?.close();
  if (creation.console !== null) closeSync(creation.console);
  if (creation.notify !== null) closeSync(creation.notify.socket);
  creation.netDevices?.giveBack();
  creation.netDevices?.close();
  for (const pid of [creation.executor, creation.init]) if (pid > 0) endChild(pid);
  if (creation.lock === null) return;
  const lock = creation.unlocked ? relock(state) : creation.lock;
  // Somebody has deleted it.
  if (lock === undefined) return;
  try {
    await destroy(state.rootPath, state.id, {
      init: state.init,
      cgroup: creation.cgroup === null ? null : state.cgroup,
      resctrl: state.resctrl,
      rootfs: state.rootfs,
      mountsBefore: state.mountsBefore,
    });
    if (creation.cgroup !== null) undoCreate(creation.cgroup);
  } catch (error) {
    log.warn(
      `cannot remove all of container ${state.id}: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
  lock.release();
  if (creation.init > 0) await runPoststop(state);
}
