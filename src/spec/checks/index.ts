/**
 * All checks, in the order of the specification.
 *
 * @module
 */

import { deviceChecks } from './devices.ts';
import { generalChecks } from './general.ts';
import { mappingChecks } from './mappings.ts';
import { mountChecks } from './mounts.ts';
import { namespaceChecks } from './namespaces.ts';
import { pathChecks } from './paths.ts';
import { processChecks } from './process.ts';
import { resourceChecks } from './resources.ts';
import { schedulingChecks } from './scheduling.ts';
import { seccompChecks } from './seccomp.ts';
import { sysctlChecks } from './sysctl.ts';
import type { Check } from './types.ts';

export const CHECKS: readonly Check[] = [
  ...generalChecks,
  ...pathChecks,
  ...mountChecks,
  ...processChecks,
  ...schedulingChecks,
  ...namespaceChecks,
  ...mappingChecks,
  ...deviceChecks,
  ...resourceChecks,
  ...sysctlChecks,
  ...seccompChecks,
];
