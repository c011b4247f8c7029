/**
 * What is allowed in a config but has no effect, or not the one that its author expects.
 *
 * @module
 */

import { CAP } from '../../ffi/constants/index.ts';
import { CAPABILITY_SETS } from './checks/process.ts';
import { namespaceOf } from './checks/types.ts';
import type { Spec } from './types.ts';

/** The version of the specification that this program implements. */
export const SPEC_VERSION = '1.3.0';

export interface Warning {
  /** Path of the field. */
  path: string;
  /** One line, beginning with the path. */
  message: string;
}

/** The warnings for a valid spec. Nothing is printed here. */
export function specWarnings(spec: Spec): Warning[] {
  const warnings: Warning[] = [];
  const warn = (path: string, text: string): void => {
    warnings.push({ path, message: `${path}: ${text}` });
  };
  version(spec, warn);
  mounts(spec, warn);
  capabilities(spec, warn);
  linux(spec, warn);
  return warnings;
}

type Warn = (path: string, text: string) => void;

function version({ ociVersion }: Spec, warn: Warn): void {
  const minor = Number(ociVersion.split('.')[1]);
  if (minor > Number(SPEC_VERSION.split('.')[1])) {
    warn('ociVersion', `${ociVersion} is newer than ${SPEC_VERSION}: what it adds is ignored`);
  }
}

function mounts({ mounts = [] }: Spec, warn: Warn): void {
  mounts.forEach(({ destination }, i) => {
    if (destination.startsWith('/')) return;
    warn(
      `mounts[${i}].destination`,
      `${JSON.stringify(destination)} is relative, which is deprecated: taken from "/"`,
    );
  });
}

/** config.md, Linux Process: a capability that can't be mapped to the kernel's MUST be logged as a warning. */
function capabilities({ process }: Spec, warn: Warn): void {
  const sets = process?.capabilities ?? {};
  for (const set of CAPABILITY_SETS) {
    sets[set]?.forEach((name, i) => {
      if (Object.hasOwn(CAP, name.slice('CAP_'.length))) return;
      warn(`process.capabilities.${set}[${i}]`, `unknown capability ${JSON.stringify(name)} is ignored`);
    });
  }
  // capabilities(7): an ambient capability must be permitted and inheritable.
  sets.ambient?.forEach((name, i) => {
    const missing = (['permitted', 'inheritable'] as const).filter((set) => !sets[set]?.includes(name));
    if (missing.length === 0) return;
    warn(`process.capabilities.ambient[${i}]`, `${name} can't be ambient: it isn't ${missing.join(' and ')}`);
  });
}

function linux(spec: Spec, warn: Warn): void {
  const { resources, personality, uidMappings, gidMappings } = spec.linux ?? {};
  for (const name of ['kernel', 'kernelTCP'] as const) {
    if (resources?.memory?.[name]) {
      warn(`linux.resources.memory.${name}`, 'kernel memory limits are obsolete and ignored');
    }
  }
  if (personality?.flags?.length) warn('linux.personality.flags', 'no flag is defined: ignored');
  if (namespaceOf(spec, 'user')?.path && (uidMappings?.length || gidMappings?.length)) {
    const path = uidMappings?.length ? 'linux.uidMappings' : 'linux.gidMappings';
    warn(path, 'the user namespace is joined by path and has its own mappings: ignored');
  }
}
