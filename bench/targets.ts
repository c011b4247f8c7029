/**
 * The programs that are compared, and which of them this machine has.
 *
 * @module
 */

import { spawnSync } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';

/** A runtime that can be measured. */
export interface Target {
  name: string;
  /** Program and leading arguments; the first is an absolute path. */
  command: readonly string[];
  /** First line of `--version`. */
  version: string;
  /** Size of the file that is the program, in bytes (the script's under Node, without the engine). */
  bytes: number;
  /** Only runs containers, by floor.c. */
  floor?: boolean;
  /** Too slow for what takes hundreds of commands. */
  slow?: boolean;
}

/** A runtime that can't, and why. */
export interface MissingTarget {
  name: string;
  reason: string;
}

/** Names without `--runtimes`. */
export const usualTargets = ['runts', 'runts-node', 'runc', 'crun', 'floor'] as const;

const searchPath = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

function onPath(program: string): string | undefined {
  return searchPath
    .map((folder) => `${folder}/${program}`)
    .find((file) => {
      try {
        accessSync(file, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

function commandOf(name: string, project: string): readonly string[] | string {
  const assigned = name.indexOf('=');
  if (assigned > 0) {
    const command = name.slice(assigned + 1).split(' ');
    return command[0]?.startsWith('/') ? command : 'the path must be absolute';
  }
  if (name === 'runts') return [`${project}/dist/runts`];
  if (name === 'runts-node') return [process.execPath, `${project}/dist/runts.mjs`];
  const found = onPath(name);
  return found === undefined ? 'not installed' : [found];
}

/** The target of a name, or the reason why there is none. */
export function findTarget(name: string, project: string): Target | MissingTarget {
  const label = name.split('=', 1)[0] as string;
  const command = commandOf(name, project);
  if (typeof command === 'string') return { name: label, reason: command };
  const file = command.find((part) => part.endsWith('.mjs')) ?? (command[0] as string);
  let bytes: number;
  try {
    bytes = statSync(file).size;
  } catch {
    return { name: label, reason: label.startsWith('runts') ? 'not built (npm run build)' : `no ${file}` };
  }
  const result = spawnSync(command[0] as string, [...command.slice(1), '--version'], {
    encoding: 'utf8',
    env: { PATH: searchPath.join(':') },
    timeout: 20_000,
  });
  if (result.error !== undefined || result.status !== 0) {
    const text = (result.error?.message ?? result.stderr).trim().split('\n')[0];
    return { name: label, reason: `\`--version\` failed: ${text || `status ${result.status}`}` };
  }
  const version = (result.stdout.split('\n')[0] as string).trim();
  return { name: label, command, version, bytes, ...(name === 'runts-node' && { slow: true }) };
}
