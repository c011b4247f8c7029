/**
 * `runts events`: what a container uses, every few seconds or once, and when it runs out of memory.
 *
 * @module
 */

import { closeSync, readSync } from '#files';
import { POLL } from '../../ffi/descriptors.ts';
import { syscall, trySyscall } from '../../ffi/local.ts';
import { whenReady } from '../../ffi/ready.ts';
import { flatKeyed } from '../cgroup/stats/parse.ts';
import { hugePageSizes, readerOf, statsOf } from '../cgroup/stats/stats.ts';
import { writeAll } from '../cli/output.ts';
import type { CommandContext } from '../cli/types.ts';
import { cgroupOf, find, whileAlive } from '../container/running.ts';
import { cgroupDirectory } from '../container/state.ts';
import { statusOf } from '../container/status.ts';
import { notRunning, RuntsError } from '../errors.ts';
import { parseDuration } from '../linux/duration.ts';

export async function run(ctx: CommandContext): Promise<number> {
  const id = ctx.operands[0] ?? '';
  const interval = parseDuration(String(ctx.flags.interval ?? '5s'));
  if (interval === undefined || interval <= 0) {
    throw new RuntsError('E_USAGE', 'duration interval must be greater than 0', {
      hint: 'e.g. 5s, 500ms or 1m',
    });
  }
  const { state, status } = find(ctx.global.root, id);
  if (status === 'stopped' || status === 'creating') throw notRunning();
  const directory = cgroupDirectory(cgroupOf(state));
  const read = readerOf(directory);
  const sizes = await whileAlive(state, () => hugePageSizes(directory));
  const stats = (): boolean => emit({ type: 'stats', id, data: statsOf(read, sizes) });
  if (ctx.flags.stats === true) {
    stats();
    return 0;
  }
  const oomKills = (): number => flatKeyed(read('memory.events') ?? '').oom_kill ?? 0;
  let killed = oomKills();
  /** @returns false when the container has ended, or the reader is gone: the end, as of any program in a pipe */
  const check = (): boolean => {
    const now = oomKills();
    for (; killed < now; killed++) if (!emit({ type: 'oom', id })) return false;
    return statusOf(state) !== 'stopped';
  };
  const changes = watchFiles(directory, ['memory.events', 'cgroup.events']);
  try {
    for (let next = performance.now() + interval; check(); ) {
      const left = Math.max(0, Math.ceil(next - performance.now()));
      const [changed = 0] = await whenReady([{ fd: changes, events: POLL.IN }], left);
      if (changed !== 0) forgetChanges(changes);
      if (performance.now() < next) continue;
      if (!stats()) break;
      next += interval;
    }
  } finally {
    closeSync(changes);
  }
  return 0;
}

const IN_MODIFY = 2;
const O_NONBLOCK = 0o4000;
const O_CLOEXEC = 0o2000000;

/** A descriptor that becomes readable when the kernel notifies of a change of one of these: cgroup-v2.rst, inotify(7). */
function watchFiles(directory: string, names: readonly string[]): number {
  const fd = syscall('inotify_init1', [O_NONBLOCK | O_CLOEXEC]);
  // A file that a controller lacks is no news.
  for (const name of names) trySyscall('inotify_add_watch', [fd, `${directory}/${name}`, IN_MODIFY]);
  return fd;
}

function forgetChanges(fd: number): void {
  const buffer = new Uint8Array(4096);
  readSync(fd, buffer, 0, buffer.length, null);
}

/** One line of JSON. A bigint is a number with all its digits, which JSON.stringify can't write. */
function emit(event: object): boolean {
  const text = JSON.stringify(event, (_, value: unknown) =>
    typeof value === 'bigint' ? `\u0000${value}\u0000` : value,
  );
  return writeAll(1, `${text.replace(/"\\u0000([0-9]+)\\u0000"/g, '$1')}\n`);
}
