/**
 * A symbolic program as a process.
 *
 * @module
 */

import { currentMachine } from './engine.ts';
import { executorFile } from './executor-file.ts';
import type { Program } from './program.ts';
import { type HandedDescriptor, planDescriptors, spawnExecutor } from './spawn.ts';
import { assemble, image } from './tape.ts';

export interface SpawnProgramOptions<Name extends string> {
  /** Descriptors of this process, by the names that the program knows them by. */
  handed: Readonly<Record<Name, number>>;
  /** Where the program's messages go: one of `handed`. */
  report: NoInfer<Name>;
  /** Standard streams in the place of ours. */
  streams?: readonly HandedDescriptor[];
  /** What ps(1) shows. */
  name?: string;
}

/**
 * Assembles a program and starts it.
 *
 * @returns the process's pid
 * @throws RuntsError what assemble() and spawnExecutor() throw
 */
export function spawnProgram<Name extends string>(
  program: Program,
  { handed, report, streams = [], name }: SpawnProgramOptions<Name>,
): number {
  const { numbers, fds } = planDescriptors(handed, 0);
  const tape = assemble(program, { machine: currentMachine(), fds: numbers, reportFd: numbers[report] });
  return spawnExecutor({ image: image(executorFile(), tape), fds: [...streams, ...fds], name });
}
