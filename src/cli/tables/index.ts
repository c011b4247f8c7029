/**
 * The command line as data: parsing, `--help`, and whatever else describes the command line come from here. One file a
 * command.
 *
 * Names and meanings are runc's, which containerd, Docker, Podman, CRI-O and BuildKit call.
 *
 * @module
 */

import type { CommandSpec } from '../types.ts';
import { CHECKPOINT } from './checkpoint.ts';
import { COMPLETION } from './completion.ts';
import { CREATE } from './create.ts';
import { DELETE } from './delete.ts';
import { DOCTOR } from './doctor.ts';
import { EVENTS } from './events.ts';
import { EXEC } from './exec.ts';
import { FEATURES } from './features.ts';
import { HELP_COMMAND } from './help.ts';
import { KILL } from './kill.ts';
import { LIST } from './list.ts';
import { MOUNTS } from './mounts.ts';
import { PAUSE } from './pause.ts';
import { PLAN } from './plan.ts';
import { PS } from './ps.ts';
import { RESTORE } from './restore.ts';
import { RESUME } from './resume.ts';
import { RUN } from './run.ts';
import { SPEC } from './spec.ts';
import { START } from './start.ts';
import { STATE } from './state.ts';
import { UPDATE } from './update.ts';
import { VALIDATE } from './validate.ts';

export { GLOBAL_FLAGS, HELP_FLAG, SYSTEM_ROOT } from './global.ts';
export { HELP_COMMAND };

/** All commands, in the order of `--help`. */
export const COMMANDS: readonly CommandSpec[] = [
  CREATE,
  START,
  STATE,
  KILL,
  DELETE,
  RUN,
  EXEC,
  LIST,
  PAUSE,
  RESUME,
  CHECKPOINT,
  RESTORE,
  UPDATE,
  MOUNTS,
  EVENTS,
  PS,
  SPEC,
  PLAN,
  VALIDATE,
  FEATURES,
  COMPLETION,
  DOCTOR,
];

/** The command of this name or alias. */
export function findCommand(name: string): CommandSpec | undefined {
  return [...COMMANDS, HELP_COMMAND].find((spec) => spec.name === name || spec.aliases?.includes(name));
}
