/**
 * Releases a created container's init and learns what became of its execve.
 *
 * @module
 */

import { closeSync, constants, openSync, unlinkSync, writeSync } from '#files';
import { readReport } from '../../ffi/report.ts';
import { errnoOf, RuntsError } from '../errors.ts';
import { log } from '../log.ts';
import { TAG } from '../plan/protocol.ts';
import { execFailure } from './failure.ts';
import { type ContainerState, writeState } from './state.ts';

/** Lets init go on to execve. The caller holds the lock and has checked that the container is created. */
export function release(state: ContainerState): void {
  const folder = `${state.rootPath}/${state.id}`;
  // As a writer too, so that opening for reading finds one and can't block; from then on only init's end counts.
  const holder = openSync(`${folder}/result.fifo`, constants.O_RDWR | constants.O_NONBLOCK);
  const result = openSync(`${folder}/result.fifo`, constants.O_RDONLY);
  closeSync(holder);
  try {
    writeByte(`${folder}/exec.fifo`);
    expectExec(result, state);
  } finally {
    closeSync(result);
  }
  // Without the FIFO the container counts as running, whatever the state says: that takes no room, and no time.
  for (const name of ['exec.fifo', 'result.fifo']) unlinkSync(`${folder}/${name}`);
  state.phase = 'running';
  try {
    writeState(state);
  } catch (error) {
    // The command runs.
    log.warn(error instanceof Error ? error.message : String(error));
  }
}

/** Never blocks: without a reader init is gone. */
function writeByte(path: string): void {
  let fifo: number;
  try {
    fifo = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (errnoOf(error) === 'ENXIO') throw died();
    throw error;
  }
  writeSync(fifo, '0');
  closeSync(fifo);
}

function died(): RuntsError {
  return new RuntsError('E_INIT', 'cannot start a container that has stopped', {
    hint: 'its init was killed while it waited to be started',
  });
}

/** A note that execve is next, then the end: execve closes init's end of the FIFO, and so does its death. */
function expectExec(result: number, state: ContainerState): void {
  let executing = false;
  for (let report = readReport(result, 'fifo'); report !== null; report = readReport(result, 'fifo')) {
    if (report.type === 'fail') throw execFailure(report.errno, state.process.args ?? [], report.text);
    if (report.type === 'note' && report.tag === TAG.EXECUTING) executing = true;
  }
  if (!executing) throw died();
}
