/**
 * Saving a running container: what CRIU is told about it, and what is done when it asks.
 *
 * @module
 */

import { closeSync, existsSync, openSync, readFileSync, statSync, writeSync } from '#files';
import { processesIn } from '../cgroup/processes.ts';
import { type ContainerState, cgroupDirectory } from '../container/state.ts';
import { RuntsError } from '../errors.ts';
import { parse } from '../linux/mountinfo.ts';
import { log } from '../log.ts';
import { hostId } from '../plan/idmap.ts';
import type { LinuxNamespaceType } from '../spec/types.ts';
import { criuFailure } from './failure.ts';
import { type CriuOptions, NETWORK_LOCK, REQUEST } from './messages.ts';
import { externalMounts } from './mounts.ts';
import { lockOf } from './network-lock.ts';
import { type CheckpointFlags, makeFolder } from './options.ts';
import { type Criu, requireFeature, requireVersion, startCriu } from './process.ts';
import { CriuGone, call } from './rpc.ts';
import { imageError, saveStreams, streamsOf } from './streams.ts';
import { outsideTree } from './tree.ts';

const LOG = 'dump.log';
/** CRIU's level 4, debug: what Podman and containerd keep for the user. */
export const LOG_LEVEL = 4;

/** By which name a namespace is known that the images don't contain: runc's. */
export const EXTERNAL_NAMESPACES: Partial<
  Record<LinuxNamespaceType, { ns: string; key: string; least: number }>
> = {
  network: { ns: 'net', key: 'extRootNetNS', least: 31_100 },
  pid: { ns: 'pid', key: 'extRootPidNS', least: 31_500 },
};

/** CRIU has its own settings for containers, which the annotation `org.criu.config` replaces or turns off. */
export function configFile(annotations: Readonly<Record<string, string>>): { configFile?: string } {
  const given = annotations['org.criu.config'];
  if (given !== undefined) return given === '' ? {} : { configFile: given };
  const own = '/etc/criu/runts.conf';
  return { configFile: existsSync(own) ? own : '/etc/criu/runc.conf' };
}

/**
 * Saves a container. The caller holds its lock and has checked that it runs.
 *
 * @throws RuntsError; the container runs on then
 */
export async function dump(state: ContainerState, flags: CheckpointFlags): Promise<void> {
  const { imagePath, workPath } = flags;
  checkStatusFd(flags.statusFd);
  // The container's root: in its user namespace CRIU opens images with no more than its rights.
  makeFolder(imagePath, hostId(0, state.uidMappings) ?? 0);
  if (workPath !== undefined) makeFolder(workPath);
  const images = openFolder(imagePath);
  const work = workPath === undefined ? undefined : openFolder(workPath);
  const unsaved = flags.preDump ? [] : unsavedProcesses(state);
  try {
    const starting = startCriu({ streams: false });
    starting.ready();
    const criu = await starting.begin();
    try {
      await perform(criu, flags, await dumpOptions(criu, state, flags, images, work));
    } finally {
      // After a pre-dump it would wait for the next one: the end of the connection ends it.
      criu.end();
    }
  } finally {
    closeSync(images);
    if (work !== undefined) closeSync(work);
  }
  // Last: a line before an error hides it from some engines.
  if (unsaved.length > 0)
    log.warn(`the checkpoint is without what exec started in the container: ${unsaved.join(', ')}`);
}

/** Each with its name, which the container chooses. */
function unsavedProcesses({ init, cgroup }: ContainerState): string[] {
  if (cgroup === null) return [];
  return outsideTree(init!.pid, processesIn(cgroupDirectory(cgroup))).map(
    ({ pid, comm }) => `${pid} ${JSON.stringify(comm)}`,
  );
}

/** A folder as a descriptor; that nothing can be written there is told before anything is frozen. */
export function openFolder(path: string): number {
  try {
    return openSync(path, 'r');
  } catch (error) {
    throw imageError('open', path, error);
  }
}

function checkStatusFd(fd: number | undefined): void {
  if (fd === undefined) return;
  const flags = /^flags:\s*([0-7]+)$/m.exec(readQuietly(`/proc/self/fdinfo/${fd}`))?.[1];
  const mode = flags === undefined ? undefined : Number.parseInt(flags, 8) & 3;
  if (mode === 1 || mode === 2) return;
  throw new RuntsError(
    'E_FDS',
    `--status-fd: descriptor ${fd} is ${mode === undefined ? 'not open' : 'not writable'}`,
  );
}

function readQuietly(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}

async function dumpOptions(
  criu: Criu,
  state: ContainerState,
  flags: CheckpointFlags,
  images: number,
  work: number | undefined,
): Promise<CriuOptions> {
  const pid = state.init!.pid;
  if (flags.preDump) await requireFeature(criu, 'memTrack', '--pre-dump');
  if (flags.lazyPages) await requireFeature(criu, 'lazyPages', '--lazy-pages');
  const options: CriuOptions = {
    ...flags.options,
    imagesDirFd: images,
    ...(work === undefined ? {} : { workDirFd: work }),
    pid,
    logLevel: LOG_LEVEL,
    logFile: LOG,
    notifyScripts: true,
    root: state.rootfs,
    orphanPtsMaster: true,
    external: externalNamespaces(criu, state),
    ...configFile(state.annotations),
  };
  // Without it CRIU stops one process after the other; it knows the v2 freezer since 3.14.
  if (state.cgroup !== null && criu.version >= 31_400) options.freezeCgroup = cgroupDirectory(state.cgroup);
  // Later ones say by a notification when the page server is ready.
  if (flags.lazyPages && flags.statusFd !== undefined && criu.version < 31_500)
    options.statusFd = flags.statusFd;
  if (flags.preDump) return options;
  const container = parse(readFileSync(`/proc/${pid}/mountinfo`, 'utf8'));
  const mounts = externalMounts(container, parse(readFileSync('/proc/self/mountinfo', 'utf8')));
  const streams = streamsOf(pid, new Set(container.map(({ id }) => id)));
  saveStreams(
    flags.imagePath,
    streams,
    mounts.map(({ val }) => val),
    options.networkLock === NETWORK_LOCK.nftables ? lockOf(pid) : undefined,
  );
  options.extMnt = mounts;
  options.external = [...(options.external ?? []), ...Object.keys(streams.files)];
  return options;
}

/** Namespaces that the container shares with another: whoever restores it has to have them. */
function externalNamespaces(criu: Criu, { namespaces, init }: ContainerState): string[] {
  const external: string[] = [];
  for (const { type, path } of namespaces) {
    const known = EXTERNAL_NAMESPACES[type];
    if (!path || known === undefined) continue;
    requireVersion(criu, known.least, `linux.namespaces: a shared ${type} namespace`);
    // By the process and not by the path, which may be gone.
    external.push(`${known.ns}[${statSync(`/proc/${init!.pid}/ns/${known.ns}`).ino}]:${known.key}`);
  }
  return external;
}

async function perform(criu: Criu, flags: CheckpointFlags, opts: CriuOptions): Promise<void> {
  const type = flags.preDump ? REQUEST.PRE_DUMP : REQUEST.DUMP;
  let statusFd = flags.statusFd;
  log.debug(() => `criu ${criu.version}: ${JSON.stringify(opts)}`);
  const fail = (response?: Parameters<typeof criuFailure>[0]['response']): RuntsError =>
    criuFailure({
      what: flags.preDump ? 'pre-dump' : 'dump',
      response,
      log: `${flags.workPath ?? flags.imagePath}/${LOG}`,
      printed: criu.printed(),
      imagePath: flags.imagePath,
    });
  let response: Awaited<ReturnType<typeof call>>;
  try {
    response = await call(criu.socket, { type, opts }, ({ script }) => {
      if (script !== 'status-ready' || statusFd === undefined) return;
      // Whoever listens may let the pages be fetched from now on.
      writeSync(statusFd, new Uint8Array(1));
      closeSync(statusFd);
      statusFd = undefined;
    });
  } catch (error) {
    throw error instanceof CriuGone ? fail() : error;
  }
  if (!response.success) throw fail(response);
}
