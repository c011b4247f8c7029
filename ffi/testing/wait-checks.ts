/**
 * Checks of waiting for children.
 *
 * @module
 */

import assert from 'node:assert/strict';
import { closeSync } from 'node:fs';
import type { ExitStatus } from '../processes.ts';
import { pidfdOpen, pollExit, waitFor, waitForExit } from '../processes.ts';
import { reapExecutor, spawnExecutor } from '../spawn.ts';
import type { Check } from './check.ts';
import { exits, makeImage, sleeping } from './images.ts';

export const WAIT_CHECKS: readonly Check[] = [
  [
    'the end of a child is seen without waiting, and its signal',
    () => {
      const image = makeImage((program) => {
        program.call('ppoll', [0, 0, 0, 0, 0]);
        program.call('exit_group', [0]);
      });
      const pid = spawnExecutor({ image, fds: [] });
      const pidfd = pidfdOpen(pid)!;
      assert.equal(pollExit({ pidfd }), undefined);
      process.kill(pid, 9);
      assert.deepEqual(waitFor({ pidfd }), { pid, signal: 9 });
      assert.throws(() => pollExit({ pidfd }), /waitid\(P_PIDFD, \d+, .*, WNOHANG\|WEXITED, NULL\).*ECHILD/);
      closeSync(pidfd);
    },
  ],

  [
    'the event loop goes on while a child is waited for',
    async () => {
      let ticks = 0;
      let signals = 0;
      const onSignal = (): void => {
        signals++;
      };
      // Ended by the loop; if that stands still, much later by itself.
      const child = start(sleeping(30_000_000_000n, 5));
      process.on('SIGUSR2', onSignal);
      const timer = setInterval(() => {
        ticks++;
        if (ticks === 1) process.kill(process.pid, 12);
        if (ticks <= 3 || signals === 0) return;
        clearInterval(timer);
        process.kill(child.pid, 9);
      }, 5);
      try {
        assert.deepEqual(await waitForExit(child), { pid: child.pid, signal: 9 });
      } finally {
        clearInterval(timer);
        process.off('SIGUSR2', onSignal);
        closeSync(child.pidfd);
      }
      assert.equal(signals, 1);
    },
  ],

  [
    'many children that end at once, before or while they are waited for, are all seen',
    async () => {
      const children = Array.from({ length: 20 }, (_, index) =>
        start(sleeping(BigInt(index % 5) * 1_000_000n, index)),
      );
      const started = performance.now();
      const statuses = await Promise.all(children.map((child) => waitForExit(child)));
      assert.deepEqual(
        statuses,
        children.map(({ pid }, code): ExitStatus => ({ pid, code })),
      );
      // By the signal, not by the second look that is there in case one is lost.
      assert.ok(performance.now() - started < 900);
      for (const { pidfd } of children) closeSync(pidfd);
    },
  ],

  [
    'waiting for no child of ours is refused',
    async () => {
      const pidfd = pidfdOpen(1)!;
      await assert.rejects(waitForExit({ pid: 1, pidfd }), /waitid\(.*ECHILD/);
      closeSync(pidfd);
    },
  ],

  [
    'other children are reaped on the way when asked',
    async () => {
      const other = start(exits(1));
      const child = start(sleeping(30_000_000n, 2));
      assert.deepEqual(await waitForExit(child, true), { pid: child.pid, code: 2 });
      assert.equal(reapExecutor(other.pid), undefined);
      for (const { pidfd } of [other, child]) closeSync(pidfd);
    },
  ],
];

function start(image: Uint8Array): { pid: number; pidfd: number } {
  const pid = spawnExecutor({ image, fds: [] });
  return { pid, pidfd: pidfdOpen(pid)! };
}
