/**
 * What differs between the JavaScript engines: a program compiled with QuickJS, Node, and Node on the sources.
 *
 * Everything that looks at the engine stands here. Nothing in it reads the working directory or the environment: both
 * belong to whoever wrote the bundle or called the runtime.
 *
 * @module
 */

import { RuntsError } from '../src/errors.ts';
import type { Machine } from './syscalls.ts';

/** Files that are installed beside the program. */
export type Asset = 'koffi.node' | 'executor';

/** Whether this is a program compiled with QuickJS: one file, with everything in it. */
export function isCompiled(): boolean {
  return process.versions.quickjs !== undefined;
}

/**
 * The folder that the program is installed in, absolute, without a slash at the end.
 *
 * - compiled: the folder of the executable, by the kernel's /proc/self/exe, so symlinks, PATH and argv[0] have no say.
 * - bundled (dist/runts.mjs, or a library build): the folder of the module.
 * - from the sources: the repository's dist/.
 */
export function installDirectory(): string {
  if (isCompiled()) return directoryOf(process.execPath);
  // A compiled program may have the build machine's path in import.meta.url: it is not looked at above.
  const module = import.meta.url;
  const base = module.endsWith('.ts') ? new URL('../dist/runts.mjs', module) : new URL(module);
  return directoryOf(decodeURIComponent(base.pathname));
}

/** The absolute path of a file that belongs to the installation. It need not exist. */
export function assetPath(asset: Asset): string {
  const directory = installDirectory();
  return directory === '/' ? `/${asset}` : `${directory}/${asset}`;
}

/**
 * The error for a file of the installation that is missing or unusable.
 *
 * @param reason - what is wrong, without the path
 */
export function installationError(asset: Asset, reason: string, cause?: unknown): RuntsError {
  const remedy =
    import.meta.url.endsWith('.ts') && !isCompiled() ? 'run: npm run build' : 'install runts again';
  return new RuntsError('E_INSTALL', `cannot use ${assetPath(asset)}: ${reason}`, {
    hint: `${asset} belongs beside the program; ${remedy}`,
    cause,
  });
}

/**
 * The machine this runs on.
 *
 * @throws RuntsError E_UNSUPPORTED for one that has no table of system calls
 */
export function currentMachine(): Machine {
  const { arch } = process;
  if (arch === 'x64' || arch === 'arm64') return arch;
  throw new RuntsError('E_UNSUPPORTED', `runts has no system call numbers for the architecture ${arch}`);
}

function directoryOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/')) || '/';
}
