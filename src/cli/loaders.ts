/**
 * The commands' code, each loaded only when it is called.
 *
 * @module
 */

import type { CommandRun } from './types.ts';

/** Loads a command's module, by the command's name. */
export const LOADERS: Readonly<Record<string, () => Promise<{ run: CommandRun }>>> = {
  create: () => import('../commands/create.ts'),
  start: () => import('../commands/start.ts'),
  state: () => import('../commands/state.ts'),
  kill: () => import('../commands/kill.ts'),
  delete: () => import('../commands/delete.ts'),
  run: () => import('../commands/run.ts'),
  exec: () => import('../commands/exec.ts'),
  list: () => import('../commands/list.ts'),
  pause: () => import('../commands/pause.ts'),
  resume: () => import('../commands/resume.ts'),
  mounts: () => import('../commands/mounts.ts'),
  checkpoint: () => import('../commands/checkpoint.ts'),
  restore: () => import('../commands/restore.ts'),
  update: () => import('../commands/update.ts'),
  events: () => import('../commands/events.ts'),
  ps: () => import('../commands/ps.ts'),
  spec: () => import('../commands/spec.ts'),
  plan: () => import('../commands/plan.ts'),
  completion: () => import('../commands/completion.ts'),
  doctor: () => import('../commands/doctor.ts'),
  validate: () => import('../commands/validate.ts'),
  features: () => import('../commands/features.ts'),
};
