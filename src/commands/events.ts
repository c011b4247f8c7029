/**
 * `runts events`: what a container uses, every few seconds or once, and when it runs out of memory.
 *
 * @module
 */

import { watch } from 'node:fs';
import { flatKeyed } from '../cgroup/stats/parse.ts';
import { hugePageSizes, readerOf, statsOf } from '../cgroup/stats/stats.ts';
import { writeAll } from '../cli/output.ts';
import type { CommandContext } from '../cli/types.ts';
import { cgroupOf, find } from '../container/running.ts';
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
  const sizes = hugePageSizes(directory);
  const stats = (): boolean => emit({ type: 'stats', id, data: statsOf(read, sizes) });
  if (ctx.flags.stats === true) {
    stats();
    return 0;
  }
  const oomKills = (): number => flatKeyed(read('memory.events') ?? '').oom_kill ?? 0;
  return await new Promise((resolve) => {
    let killed = oomKills();
    const end = (): void => {
      clearInterval(timer);
      for (const watcher of watchers) watcher.close();
      resolve(0);
    };
    const check = (): void => {
      const now = oomKills();
      // A reader that is gone is the end, as of any program in a pipe.
      let told = true;
      for (; told && killed < now; killed++) told = emit({ type: 'oom', id });
      if (!told || statusOf(state) === 'stopped') end();
    };
    const timer = setInterval(() => {
      if (stats()) check();
      else end();
    }, interval);
    // The kernel notifies of changes of these two files (cgroup-v2.rst).
    const watchers = ['memory.events', 'cgroup.events'].flatMap((name) => {
      try {
        return [watch(`${directory}/${name}`, check)];
      } catch {
        return [];
      }
    });
  });
}

/** One line of JSON. A bigint is a number with all its digits, which JSON.stringify can't write. */
function emit(event: object): boolean {
  const text = JSON.stringify(event, (_, value: unknown) =>
    typeof value === 'bigint' ? `\u0000${value}\u0000` : value,
  );
  return writeAll(1, `${text.replace(/"\\u0000([0-9]+)\\u0000"/g, '$1')}\n`);
}
