/**
 * What the native side costs a process that uses it once, as every command does.
 *
 * @module
 */

import { closeSync } from 'node:fs';
import { memfdCreate, socketPair } from '../descriptors.ts';
import { currentMachine } from '../engine.ts';
import { executorFile } from '../executor-file.ts';
import { syscall } from '../local.ts';
import { Program } from '../program.ts';
import { reapExecutor, spawnExecutor } from '../spawn.ts';
import { assemble, image } from '../tape.ts';

/** Microseconds by what they were spent on, in order. */
export function measureCosts(): Record<string, number> {
  const costs: Record<string, number> = {};
  let last = performance.now();
  const lap = (name: string): void => {
    const now = performance.now();
    if (name !== '') costs[name] = Math.round((now - last) * 1000);
    last = performance.now();
  };
  syscall('getpid', []);
  lap('first system call');
  syscall('getpid', []);
  lap('second system call');
  closeSync(memfdCreate('costs'));
  lap('memfd');
  const [left, right] = socketPair();
  lap('socket pair');
  const program = new Program();
  program.call('exit_group', [0]);
  const tape = assemble(program, { machine: currentMachine(), fds: {}, reportFd: 9 });
  const file = image(executorFile(), tape);
  lap('');
  const pid = spawnExecutor({ image: file, fds: [{ from: right, to: 9 }] });
  lap('first spawn');
  reapExecutor(pid);
  lap('reap');
  const again = spawnExecutor({ image: file, fds: [{ from: right, to: 9 }] });
  lap('second spawn');
  reapExecutor(again);
  closeSync(left);
  closeSync(right);
  return costs;
}
