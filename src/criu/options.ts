/**
 * The flags of `checkpoint` and `restore`, and what they are among CRIU's options.
 *
 * @module
 */

import { chmodSync, chownSync, mkdirSync, statSync } from '#files';
import { CLONE } from '../../ffi/constants/index.ts';
import { errnoText } from '../cli/present.ts';
import type { CommandContext } from '../cli/types.ts';
import { errnoOf, RuntsError } from '../errors.ts';
import { isAbsolute, resolve } from '../paths.ts';
import { CGROUP_MODE, type CriuOptions, NETWORK_LOCK } from './messages.ts';
import { imageError } from './streams.ts';

/** What both commands are told. */
export interface ImageFlags {
  /** Absolute. */
  imagePath: string;
  /** Where logs and statistics go; the image folder when absent. */
  workPath?: string;
  /** CRIU's options that the flags alone decide. */
  options: Omit<CriuOptions, 'imagesDirFd'>;
}

export interface CheckpointFlags extends ImageFlags {
  leaveRunning: boolean;
  preDump: boolean;
  lazyPages: boolean;
  /** Gets a NUL when the page server is ready. */
  statusFd?: number;
}

type Flags = CommandContext['flags'];

/** @throws RuntsError E_USAGE for values that no CRIU takes */
export function checkpointFlags(flags: Flags): CheckpointFlags {
  const common = commonFlags(flags);
  const { options, imagePath } = common;
  const parentImg = parentPath(text(flags, 'parent-path'), imagePath);
  const lazyPages = flags['lazy-pages'] === true;
  const preDump = flags['pre-dump'] === true;
  if (lazyPages && preDump) throw usage('--lazy-pages and --pre-dump exclude each other');
  const ps = pageServer(text(flags, 'page-server'));
  if (lazyPages && ps === undefined) {
    throw usage('--lazy-pages needs --page-server ADDRESS:PORT: there the pages are fetched from');
  }
  const statusFd = flags['status-fd'];
  return {
    ...common,
    options: {
      ...options,
      leaveRunning: flags['leave-running'] === true,
      tcpSkipInFlight: flags['tcp-skip-in-flight'] === true,
      linkRemap: flags['link-remap'] === true,
      lazyPages,
      ...(ps === undefined ? {} : { ps }),
      // Pages that have not changed since are taken from the parent, so changes must be tracked.
      ...(parentImg === undefined ? {} : { parentImg }),
      ...(parentImg === undefined && !preDump ? {} : { trackMem: true }),
    },
    leaveRunning: flags['leave-running'] === true,
    preDump,
    lazyPages,
    ...(typeof statusFd === 'number' ? { statusFd } : {}),
  };
}

export function restoreFlags(flags: Flags): ImageFlags {
  const common = commonFlags(flags);
  const lsmProfile = text(flags, 'lsm-profile');
  const lsmMountContext = text(flags, 'lsm-mount-context');
  return {
    ...common,
    options: {
      ...common.options,
      lazyPages: flags['lazy-pages'] === true,
      tcpClose: flags['tcp-close'] === true,
      ...(lsmProfile === undefined ? {} : { lsmProfile }),
      ...(lsmMountContext === undefined ? {} : { lsmMountContext }),
    },
  };
}

function commonFlags(flags: Flags): ImageFlags {
  const workPath = text(flags, 'work-path');
  const lock = text(flags, 'network-lock');
  return {
    imagePath: resolve(text(flags, 'image-path') ?? 'checkpoint'),
    ...(workPath === undefined ? {} : { workPath: resolve(workPath) }),
    options: {
      extUnixSk: flags['ext-unix-sk'] === true,
      tcpEstablished: flags['tcp-established'] === true,
      shellJob: flags['shell-job'] === true,
      fileLocks: flags['file-locks'] === true,
      autoDedup: flags['auto-dedup'] === true,
      emptyNs: emptyNamespaces(flags['empty-ns']),
      manageCgroups: true,
      manageCgroupsMode: oneOf(
        CGROUP_MODE,
        text(flags, 'manage-cgroups-mode') ?? 'default',
        '--manage-cgroups-mode',
      ),
      ...(lock === undefined ? {} : { networkLock: oneOf(NETWORK_LOCK, lock, '--network-lock') }),
    },
  };
}

function text(flags: Flags, name: string): string | undefined {
  const value = flags[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function usage(message: string): RuntsError {
  return new RuntsError('E_USAGE', message);
}

function oneOf(table: Readonly<Record<string, number>>, value: string, flag: string): number {
  const names = Object.keys(table);
  if (!names.includes(value)) {
    throw usage(`${flag}: ${JSON.stringify(value)} is none of ${names.join(', ')}`);
  }
  return table[value]!;
}

/** CRIU leaves the content of a network namespace alone, and of no other. */
function emptyNamespaces(value: unknown): number {
  let flags = 0;
  for (const name of (Array.isArray(value) ? value : []) as string[]) {
    if (name !== 'network') throw usage(`--empty-ns: namespace ${JSON.stringify(name)} is not supported`);
    flags |= CLONE.NEWNET;
  }
  return flags;
}

function pageServer(value: string | undefined): { address: string; port: number } | undefined {
  if (value === undefined) return undefined;
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:]+)):(\d+)$/.exec(value) ?? [];
  const number = Number(port);
  if (port === undefined || number < 1 || number > 65535) {
    throw usage(`--page-server: ${JSON.stringify(value)} is not ADDRESS:PORT`);
  }
  return { address: bracketed ?? plain ?? '', port: number };
}

/** The images refer to the parent by a link that must still be right when all of them are moved elsewhere. */
function parentPath(value: string | undefined, imagePath: string): string | undefined {
  if (value === undefined) return undefined;
  if (isAbsolute(value)) {
    throw usage(`--parent-path: ${value} must be relative to --image-path, e.g. ../predump`);
  }
  const path = resolve(imagePath, value);
  try {
    if (statSync(path).isDirectory()) return value;
  } catch (error) {
    throw new RuntsError('E_USAGE', `--parent-path: ${path}: ${errnoText(error)}`, {
      errno: errnoOf(error),
      hint: 'it is the --image-path of an earlier pre-dump, relative to this --image-path',
    });
  }
  throw usage(`--parent-path: ${path}: not a directory`);
}

/**
 * Makes a folder that need not be there yet; its parent must be.
 *
 * @param owner - user id, when it isn't ours
 * @throws RuntsError E_SYSCALL
 */
export function makeFolder(path: string, owner = 0): void {
  try {
    mkdirSync(path, 0o700);
    if (owner === 0) return;
    // CRIU opens images in the user namespace as the host's root first, then as the container's: both may enter.
    chownSync(path, owner, 0);
    chmodSync(path, 0o710);
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw imageError('mkdir', path, error);
  }
}
