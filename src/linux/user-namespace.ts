/**
 * A user namespace with given id maps and nobody in it, for id-mapped mounts.
 *
 * @module
 */

import { closeSync, openSync } from '#files';
import { CLONE } from '../../ffi/constants/index.ts';
import { socketPair } from '../../ffi/descriptors.ts';
import { addressOf, handed, Program } from '../../ffi/program.ts';
import { readReport } from '../../ffi/report.ts';
import { reapExecutor } from '../../ffi/spawn.ts';
import { spawnProgram } from '../../ffi/spawn-program.ts';
import { errnoOf, RuntsError } from '../errors.ts';
import type { LinuxIDMapping } from '../spec/types.ts';
import { writeIdMaps } from './idmaps.ts';

const SYNC = handed('sync');

/**
 * Makes the namespace.
 *
 * @param field - of the config, for errors
 * @returns its descriptor, which keeps it alive
 * @throws RuntsError E_INIT
 */
export async function makeUserNamespace(
  uid: readonly LinuxIDMapping[],
  gid: readonly LinuxIDMapping[],
  field: string,
): Promise<number> {
  const [ours, theirs] = socketPair();
  const pid = spawnProgram(waitingProgram(field), { handed: { sync: theirs }, report: 'sync' });
  closeSync(theirs);
  try {
    const report = readReport(ours);
    if (report?.type !== 'note') {
      throw new RuntsError('E_INIT', `${field}: cannot make a user namespace for the mount’s ids`, {
        field,
        syscall: 'unshare',
        hint: 'see /proc/sys/user/max_user_namespaces',
      });
    }
    await writeMaps(pid, uid, gid, field);
    return openSync(`/proc/${pid}/ns/user`, 'r');
  } finally {
    // End of file ends the process.
    closeSync(ours);
    reapExecutor(pid);
  }
}

/** A process in a new user namespace, until the other end of the socket is closed. */
function waitingProgram(field: string): Program {
  const program = new Program();
  const scratch = program.cell('scratch');
  program.within(field, () => {
    program.call('unshare', [CLONE.NEWUSER]);
    program.notify(1);
    program.call('read', [SYNC, addressOf(scratch), 1]);
    program.call('exit_group', [0]);
  });
  return program;
}

async function writeMaps(
  pid: number,
  uid: readonly LinuxIDMapping[],
  gid: readonly LinuxIDMapping[],
  field: string,
): Promise<void> {
  try {
    await writeIdMaps(pid, uid, gid);
  } catch (error) {
    if (!(error instanceof RuntsError)) throw error;
    const message = error.message.replace(/^linux\./, `${field}.`);
    throw new RuntsError('E_INIT', message, { field, errno: errnoOf(error), cause: error });
  }
}
