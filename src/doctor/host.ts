/**
 * How the checks of `doctor` look at the host: through this alone, so that tests can be any host.
 *
 * @module
 */

import { accessSync, constants, readFileSync, statfsSync } from '#files';
import type { CriuReport } from '../criu/check.ts';
import { administratorsPath, findProgram } from '../linux/programs.ts';

export interface Host {
  /** Text of a file; undefined when it can't be read. */
  read(path: string): string | undefined;
  exists(path: string): boolean;
  /** f_type of the file system at a path; undefined where there is none. */
  fileSystem(path: string): number | undefined;
  /** Absolute path of a program in PATH. */
  program(name: string): string | undefined;
  writable(path: string): boolean;
  /** What CRIU says when it is asked; absent when it wasn't. */
  criu?: CriuReport;
  euid: number;
  env: Readonly<Record<string, string | undefined>>;
}

/** This machine. */
export function thisHost(): Host {
  const attempt = <T>(action: () => T): T | undefined => {
    try {
      return action();
    } catch {
      return undefined;
    }
  };
  const can = (path: string, mode: number): boolean =>
    attempt(() => {
      accessSync(path, mode);
      return true;
    }) === true;
  return {
    read: (path) => attempt(() => readFileSync(path, 'latin1')),
    exists: (path) => can(path, constants.F_OK),
    fileSystem: (path) => attempt(() => statfsSync(path).type),
    program: (name) => findProgram(name, administratorsPath()),
    writable: (path) => can(path, constants.W_OK),
    euid: process.geteuid?.() ?? 0,
    env: process.env,
  };
}
