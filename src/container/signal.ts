/**
 * Signals to a container's processes that can't reach another process, however fast pids are reused.
 *
 * @module
 */

import { closeSync } from '#files';
import { killCgroup } from '../cgroup/kill.ts';
import { processesIn } from '../cgroup/processes.ts';
import { RuntsError } from '../errors.ts';
import { processCgroup } from '../linux/procfs.ts';
import { isAlive, type ProcessIdentity } from './process.ts';
import { type CgroupState, cgroupDirectory } from './state.ts';

export const SIGKILL = 9;

/** What of a container can be signalled: a ContainerState, or what was salvaged of one. */
export interface Target {
  init: ProcessIdentity | null;
  cgroup: CgroupState | null;
}

/** Only signals to single processes need native code; loading it costs more than the rest of `kill`. */
function native(): Promise<typeof import('../../ffi/processes.ts')> {
  return import('../../ffi/processes.ts');
}

/**
 * Sends a signal to one process, through a pidfd.
 *
 * @param signal number; 0 only checks
 * @returns false when the process is gone
 * @throws RuntsError E_SYSCALL when the signal can't be sent
 */
export async function signalProcess(target: ProcessIdentity, signal: number): Promise<boolean> {
  const { openProcess } = await import('./process-fd.ts');
  const pidfd = openProcess(target);
  if (pidfd === undefined) return false;
  try {
    const { pidfdSendSignal } = await native();
    return pidfdSendSignal(pidfd, signal);
  } finally {
    closeSync(pidfd);
  }
}

/** Whether the process is in the cgroup or below it. */
function isIn(pid: number, cgroup: CgroupState): boolean {
  const path = processCgroup(pid);
  return path !== undefined && `${path}/`.startsWith(`${cgroup.path}/`);
}

/**
 * Sends a signal to a container's init.
 *
 * SIGKILL goes to the whole cgroup. With a pid namespace of its own the container dies with its init anyway; without
 * one, what init leaves behind would keep the cgroup. It needs no native code, and no pid that could be reused.
 *
 * @returns false when init is gone
 */
export async function signalInit(target: Target, signal: number): Promise<boolean> {
  const { init, cgroup } = target;
  if (init === null || !isAlive(init)) return false;
  // Init may have been moved elsewhere by the host's administrator.
  if (signal === SIGKILL && cgroup !== null && isIn(init.pid, cgroup)) {
    killCgroup(cgroupDirectory(cgroup));
    return true;
  }
  return signalProcess(init, signal);
}

/**
 * Sends a signal to every process of the container, also when its init is gone.
 *
 * The list is read again once all pidfds are open: a pid that is in the second list belongs to a process of the
 * container, and the pidfd was opened either for it or for a process that is dead by now.
 */
export async function signalAll(target: Target, signal: number): Promise<void> {
  const { cgroup } = target;
  if (cgroup === null) {
    await signalInit(target, signal);
    return;
  }
  const directory = cgroupDirectory(cgroup);
  if (signal === SIGKILL) {
    killCgroup(directory);
    return;
  }
  const pids = processesIn(directory);
  if (pids.length === 0) return;
  const { pidfdOpen, pidfdSendSignal } = await native();
  const opened = new Map<number, number>();
  try {
    for (const pid of pids) {
      const pidfd = pidfdOpen(pid);
      if (pidfd !== undefined) opened.set(pid, pidfd);
    }
    for (const pid of processesIn(directory)) {
      const pidfd = opened.get(pid);
      if (pidfd !== undefined) pidfdSendSignal(pidfd, signal);
    }
  } finally {
    for (const pidfd of opened.values()) closeSync(pidfd);
  }
}

/** How long a killed init may take to die. */
const DEATH_MS = 10_000;

/**
 * Kills all that is left of a container and waits until its init is dead. What else dies in the cgroup is waited for
 * by its removal.
 *
 * @throws RuntsError E_WRONG_STATE when init survives for 10 seconds
 */
export async function killAndWait(target: Target, timeoutMs: number = DEATH_MS): Promise<void> {
  const { init, cgroup } = target;
  if (cgroup !== null) killCgroup(cgroupDirectory(cgroup));
  if (init === null || !isAlive(init)) return;
  if (cgroup === null || !isIn(init.pid, cgroup)) await signalProcess(init, SIGKILL);
  if (await dies(init, timeoutMs)) return;
  throw new RuntsError(
    'E_WRONG_STATE',
    `container init still running: process ${init.pid} survives SIGKILL`,
    {
      hint: `it waits in the kernel for a device or file system: see /proc/${init.pid}/stack`,
    },
  );
}

/** Waits for the end of a process that need not be our child: its pidfd becomes readable then (Linux 5.3). */
export async function dies(process: ProcessIdentity, timeoutMs: number = DEATH_MS): Promise<boolean> {
  const { openProcess } = await import('./process-fd.ts');
  const { POLL, poll } = await import('../../ffi/descriptors.ts');
  const pidfd = openProcess(process);
  if (pidfd === undefined) return true;
  try {
    return poll([{ fd: pidfd, events: POLL.IN }], timeoutMs)[0] !== 0;
  } finally {
    closeSync(pidfd);
  }
}
