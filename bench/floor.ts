/**
 * The floor: what a container costs when nobody has to think of it.
 *
 * The plan is made here, once, by the project's own planner; the tape and the steps on the host go into files, which
 * floor.c performs. It leaves out what only a runtime needs: its state, its lock, its log.
 *
 * @module
 */

import { spawnSync } from 'node:child_process';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { image } from '../ffi/tape.ts';
import type { CommandContext } from '../src/cli/types.ts';
import { prepare } from '../src/container/prepare.ts';
import { TAG } from '../src/plan/protocol.ts';
import type { HostStep } from '../src/plan/types.ts';
import type { Place } from './measures.ts';
import type { MissingTarget, Target } from './targets.ts';

/** The descriptors' numbers in the executor: above any that floor.c has open. */
const DESCRIPTORS = { sync: 100, cgroup: 101, start: 102, result: 103 } as const;

/** Name of the target, and of the file in a bundle that floor.c performs. */
export const FLOOR = 'floor';

/** Compiles floor.c; or says why there is no floor. */
export function findFloor(workFolder: string, project: string): Target | MissingTarget {
  const executor = `${project}/dist/executor`;
  let bytes: number;
  try {
    bytes = statSync(executor).size;
  } catch {
    return { name: FLOOR, reason: 'not built (npm run build)' };
  }
  const helper = `${workFolder}/${FLOOR}`;
  const source = fileURLToPath(new URL('./floor.c', import.meta.url));
  const compiled = [['-static'], []].some(
    (flags) => spawnSync('cc', ['-O2', ...flags, '-o', helper, source], { stdio: 'ignore' }).status === 0,
  );
  if (!compiled) return { name: FLOOR, reason: 'no C compiler' };
  return {
    name: FLOOR,
    command: [helper],
    version: 'the same tapes, performed without a runtime',
    bytes,
    floor: true,
  };
}

/** The line of floor.c for a step of the plan; empty for what is the runtime's own. */
export function floorLine(step: HostStep, cgroup: string, imageFile: string): string {
  switch (step.step) {
    case 'state':
    case 'saveState':
    case 'seccompFilter':
    case 'pidFile':
      return '';
    case 'cgroup':
      return `cgroup ${cgroup} ${DESCRIPTORS.cgroup}\n`;
    case 'cgroupLimits':
      return step.writes
        .map(({ file, value, tolerate, otherwise }) => {
          const verb = tolerate === undefined && otherwise === undefined ? 'write' : 'try';
          return `${verb} ${cgroup}/${file} ${value}\n`;
        })
        .join('');
    case 'fifo':
      return step.path.endsWith('/exec.fifo')
        ? `pipe ${DESCRIPTORS.start}\n`
        : `result ${DESCRIPTORS.result}\n`;
    case 'spawn':
      return `spawn ${imageFile} ${DESCRIPTORS.sync}\n`;
    case 'await':
      return `${step.note === 'INIT' ? 'init' : 'await'} ${TAG[step.note]}\n`;
    case 'go':
      return 'go\n';
    case 'execed':
      return 'exec\n';
    default:
      throw new Error(`the floor can't do the step "${step.step}"`);
  }
}

/**
 * Plans a bundle and writes what floor.c needs into it.
 *
 * @param executor the executor's file
 * @param mode `create` is followed by what `start` does
 * @returns path of the script
 */
export async function recordFloor(
  { id, bundle, stateRoot }: Place,
  executor: string,
  mode: 'run' | 'create',
): Promise<string> {
  const context: CommandContext = {
    global: {
      root: stateRoot,
      rootExplicit: true,
      logFormat: 'text',
      logLevel: 'warning',
      systemdCgroup: false,
      cgroupManager: 'cgroupfs',
      rootless: 'auto',
    },
    flags: { bundle },
    operands: [id],
  };
  const { plan, facts, options } = await prepare(context, {
    id,
    mode,
    foreground: mode === 'run',
    dryRun: false,
  });
  const tape = plan.program.finish({ fds: DESCRIPTORS, reportFd: DESCRIPTORS.sync });
  const imageFile = `${bundle}/image`;
  writeFileSync(imageFile, image(readFileSync(executor), tape));
  const cgroup = `${facts.cgroupMount}${options.cgroupPath}`;
  const script = `${bundle}/${FLOOR}`;
  const lines = plan.host.map((step) => floorLine(step, cgroup, imageFile));
  if (mode === 'create') lines.push('start\n');
  writeFileSync(script, lines.join(''));
  return script;
}
