import type { CommandRun } from '../cli/types.ts';
import { RuntsError } from '../errors.ts';

/** Placeholder until the command is there. */
export const run: CommandRun = () => {
  throw new RuntsError('E_UNSUPPORTED', 'validate is not implemented');
};
