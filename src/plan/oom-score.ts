/**
 * How willingly the kernel kills a process when memory is short: /proc/PID/oom_score_adj, proc(5).
 *
 * @module
 */

import { AT, O } from '../../ffi/constants/index.ts';
import type { Cell, ProgramBuilder } from '../../ffi/program.ts';
import { valueIn } from '../../ffi/program.ts';
import type { Process } from '../spec/types.ts';
import { stringAddress } from './process.ts';

/**
 * Written while /proc is the host's and the rights are the runtime's; the process that comes of it inherits the score.
 *
 * @param lenient - a score that may not be lowered stays as it is
 */
export function planOomScore(
  program: ProgramBuilder,
  process: Process,
  scratch: Cell,
  lenient?: 'lenient',
): void {
  const { oomScoreAdj } = process;
  if (oomScoreAdj === undefined) return;
  program.within('process.oomScoreAdj', () => {
    const text = String(oomScoreAdj);
    program.call('openat', [AT.FDCWD, '/proc/self/oom_score_adj', O.WRONLY | O.CLOEXEC], { store: scratch });
    const tolerate = lenient === undefined ? undefined : (['EACCES'] as const);
    program.call('write', [valueIn(scratch), stringAddress(text), text.length], { tolerate });
    program.call('close', [valueIn(scratch)]);
  });
}
