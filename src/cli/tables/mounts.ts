/**
 * The command line of `runts mounts`.
 *
 * @module
 */

import type { CommandSpec } from '../types.ts';

export const MOUNTS: CommandSpec = {
  name: 'mounts',
  summary: 'add mounts to a container, or remove them',
  operands: 'add|remove CONTAINER-ID FILE',
  minOperands: 3,
  maxOperands: 3,
  description: `Changes the mounts of a created, running or paused container. FILE (- for standard input) holds
JSON: the mounts of a config.json, or an object with them as "mounts".

"add" makes them in order, by the same rules as "create"; sources are paths of the host, relative
ones begin at the bundle. When one can't be made, those before it are removed again. "remove"
needs destinations only; what is in use there stays usable for who has it open.

Example:
    echo '[{"destination": "/data", "source": "/srv/data", "options": ["rbind", "ro"]}]' |
        runts mounts add web -`,
  flags: [],
};
