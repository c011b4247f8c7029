/**
 * `linux.personality`: which variant of Linux the container's programs are told they run on.
 *
 * runtime-spec config-linux.md, "Personality"; personality(2). The specification defines no flags: those in a config
 * are warned of, once, by `create`.
 *
 * @module
 */

import { PERSONALITY } from '../../ffi/constants/process.ts';
import type { ProgramBuilder } from '../../ffi/program.ts';
import type { LinuxPersonality, LinuxPersonalityDomain } from '../spec/types.ts';

const DOMAINS: Readonly<Record<LinuxPersonalityDomain, number>> = {
  LINUX: PERSONALITY.PER_LINUX,
  LINUX32: PERSONALITY.PER_LINUX32,
};

export function planPersonality(program: ProgramBuilder, { domain }: LinuxPersonality): void {
  program.call('personality', [DOMAINS[domain]], { field: 'linux.personality' });
}
