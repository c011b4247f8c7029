/**
 * Calls about processes, made in this process: pidfds, waiting, limits.
 *
 * All of these throw RuntsError E_SYSCALL with the call and its errno, unless said otherwise.
 *
 * @module
 */

import { ERRNO } from './constants/errno.ts';
import { P, PR, SIG_HOW, W } from './constants/process.ts';
import { restartingSyscall, syscall, syscallError, trySyscall } from './local.ts';

/** How a process ended: with an exit code, or killed by a signal. */
export interface ExitStatus {
  pid: number;
  /** 0 to 255, when it exited. */
  code?: number;
  /** Number of the signal, when it was killed. */
  signal?: number;
}

/** Soft and hard limit; -1 is "unlimited". */
export interface ResourceLimit {
  soft: bigint;
  hard: bigint;
}

const SIGCHLD = 17;
const CLD_EXITED = 1;
const SIG_DFL = 0;
const SIG_IGN = 1;
/** Bytes of the kernel's signal set. */
const SIGSET_SIZE = 8;

/** How long a lost SIGCHLD may go unnoticed. None should be lost: this is the belt to the braces. */
const RECHECK_MS = 1000;

/**
 * A descriptor of a process, which unlike its pid never means another one: pidfd_open(2), Linux 5.3. Close-on-exec.
 *
 * @returns undefined when there is no such process
 */
export function pidfdOpen(pid: number): number | undefined {
  const result = trySyscall('pidfd_open', [pid, 0]);
  if (result >= 0) return result;
  if (result === -ERRNO.ESRCH) return undefined;
  throw syscallError('pidfd_open', [pid, 0], -result);
}

/**
 * Sends a signal; 0 only checks. Linux 5.1.
 *
 * @returns false when the process is dead and reaped already
 */
export function pidfdSendSignal(pidfd: number, signal: number): boolean {
  const args = [pidfd, signal, null, 0] as const;
  const result = trySyscall('pidfd_send_signal', args);
  if (result >= 0) return true;
  if (result === -ERRNO.ESRCH) return false;
  throw syscallError('pidfd_send_signal', args, -result);
}

/** Which child to wait for. P_PIDFD: Linux 5.4. */
export type Child = { pid: number } | { pidfd: number } | 'any';

/**
 * Waits, blocking the thread, until a child has ended, and reaps it: waitid(2).
 *
 * @throws RuntsError with errno ECHILD when it is no child of ours (any more)
 */
export function waitFor(child: Child): ExitStatus {
  return wait(child, 0)!;
}

/** Reaps a child if it has ended; undefined while it runs. Otherwise as {@link waitFor}. */
export function pollExit(child: Child): ExitStatus | undefined {
  return wait(child, W.NOHANG);
}

function wait(child: Child, flags: number): ExitStatus | undefined {
  // siginfo_t: 128 bytes; int si_code at 8, then after padding int si_pid at 16, uid at 20, int si_status at 24
  const info = new Int32Array(32);
  const [type, id] =
    child === 'any' ? [P.ALL, 0] : 'pidfd' in child ? [P.PIDFD, child.pidfd] : [P.PID, child.pid];
  restartingSyscall('waitid', [type, id, info, W.EXITED | flags, null]);
  const pid = info[4]!;
  if (pid === 0) return undefined;
  const status = info[6]!;
  return info[2] === CLD_EXITED ? { pid, code: status } : { pid, signal: status };
}

/**
 * The end of a child, while the event loop goes on: signal handlers are called, timers and streams work.
 *
 * Of three ways that were measured (this one, waitid on a worker thread, blocking in ppoll) all take 0.2 to 0.3 ms from
 * exit to here; a worker that still waits keeps Node from exiting, and a blocked thread calls no signal handlers.
 *
 * @param reapOthers - reap other children that end meanwhile: orphans that a subreaper inherits. Don't run
 *   node:child_process at the same time then: its children's exit codes would be lost.
 * @throws RuntsError (by rejection) with errno ECHILD when it is no child of ours
 */
export function waitForExit(child: { pid: number; pidfd: number }, reapOthers = false): Promise<ExitStatus> {
  return new Promise((resolve, reject) => {
    const check = (): void => {
      try {
        const status = pollExit(child) ?? (reapOthers ? reapAll(child.pid) : undefined);
        if (status === undefined) return;
        stop();
        resolve(status);
      } catch (error) {
        stop();
        reject(error);
      }
    };
    const timer = setInterval(check, RECHECK_MS);
    const stop = (): void => {
      clearInterval(timer);
      process.off('SIGCHLD', check);
    };
    // The handler first, then the first look: a child that ends in between is seen by one of the two.
    process.on('SIGCHLD', check);
    unblockChildSignal();
    check();
  });
}

/** Reaps what has ended; stops at the child `pid`. */
function reapAll(pid: number): ExitStatus | undefined {
  for (;;) {
    const status = pollExit('any');
    if (status === undefined || status.pid === pid) return status;
  }
}

/**
 * Undoes what our caller may have left us with: an ignored SIGCHLD makes the kernel reap children itself, and their
 * exit status, or worse their pid, is lost. Node does this at its start, QuickJS doesn't.
 */
export function keepChildren(): void {
  // struct sigaction of the kernel: handler, flags, restorer (absent on aarch64), mask; zeros are the default action
  const action = new Int32Array(8);
  syscall('rt_sigaction', [SIGCHLD, null, action, SIGSET_SIZE]);
  if (action[0] !== SIG_IGN || action[1] !== 0) return;
  action.fill(SIG_DFL);
  syscall('rt_sigaction', [SIGCHLD, action, null, SIGSET_SIZE]);
}

/** A blocked SIGCHLD, inherited from our caller, would never call the handler. */
function unblockChildSignal(): void {
  const set = new BigUint64Array(1);
  set[0] = 1n << BigInt(SIGCHLD - 1);
  syscall('rt_sigprocmask', [SIG_HOW.UNBLOCK, set, null, SIGSET_SIZE]);
}

/** Makes this process the parent of its descendants' orphans: prctl(PR_SET_CHILD_SUBREAPER), Linux 3.4. */
export function becomeSubreaper(): void {
  syscall('prctl', [PR.SET_CHILD_SUBREAPER, 1, 0, 0, 0]);
}

/**
 * Reads and optionally sets a limit of a process: prlimit(2).
 *
 * @param pid - 0 is this process
 * @param resource - RLIMIT_*
 * @returns the limit before the call
 */
export function resourceLimit(pid: number, resource: number, limit?: ResourceLimit): ResourceLimit {
  const old = new BigUint64Array(2);
  let wanted: BigUint64Array | null = null;
  if (limit !== undefined) {
    wanted = new BigUint64Array(2);
    wanted[0] = BigInt.asUintN(64, limit.soft);
    wanted[1] = BigInt.asUintN(64, limit.hard);
  }
  syscall('prlimit64', [pid, resource, wanted, old]);
  return { soft: BigInt.asIntN(64, old[0]!), hard: BigInt.asIntN(64, old[1]!) };
}
