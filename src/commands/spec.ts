/**
 * `runts spec`: writes a config.json to begin with. An existing one is never touched.
 *
 * @module
 */

import { rmSync, writeFileSync } from '#files';
import { errnoText } from '../cli/present.ts';
import type { CommandContext } from '../cli/types.ts';
import { errnoOf, RuntsError } from '../errors.ts';
import { defaultSpec } from '../spec/default.ts';
import { CONFIG_NAME } from '../spec/load.ts';

export function run(ctx: CommandContext): number {
  const path = `${ctx.flags.bundle || '.'}/${CONFIG_NAME}`;
  const text = JSON.stringify(defaultSpec({ rootless: ctx.flags.rootless === true }), null, '\t');
  try {
    writeFileSync(path, text, { flag: 'wx', mode: 0o666 });
  } catch (cause) {
    const errno = errnoOf(cause);
    if (errno === 'EEXIST') {
      // runc's text.
      throw new RuntsError('E_USAGE', `File ${CONFIG_NAME} exists. Remove it first`, { errno, cause });
    }
    // A full disk leaves an empty or half file, which the next attempt would stumble over.
    if (errno === 'ENOSPC' || errno === 'EDQUOT' || errno === 'EIO') rmSync(path, { force: true });
    throw new RuntsError('E_CONFIG_READ', `cannot write ${JSON.stringify(path)}: ${errnoText(cause)}`, {
      syscall: 'open',
      errno,
      cause,
      ...(errno === 'ENOENT' && { hint: 'the folder of --bundle must exist' }),
    });
  }
  return 0;
}
