/**
 * Bundles made of the machine's busybox.
 *
 * @module
 */

import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import type { Cycle, Payload, Place } from './measures.ts';
import { findProfile } from './profiles.ts';

const payloads: Readonly<Record<Payload, string[]>> = { true: ['true'], sleep: ['sleep', '100000'] };

/**
 * A root file system with busybox and what a container's mounts need.
 *
 * @throws Error when there is no busybox, or it is not statically linked
 */
export function makeRootfs(folder: string): void {
  const busybox = ['/bin/busybox', '/usr/bin/busybox', '/usr/local/bin/busybox'].find((file) =>
    existsSync(file),
  );
  if (busybox === undefined)
    throw new Error('no busybox on this machine (Debian: apt install busybox-static)');
  for (const name of ['bin', 'dev', 'etc', 'proc', 'sys', 'tmp']) {
    mkdirSync(`${folder}/${name}`, { recursive: true });
  }
  copyFileSync(busybox, `${folder}/bin/busybox`);
  for (const name of ['sh', 'sleep', 'true']) symlinkSync('busybox', `${folder}/bin/${name}`);
  if (spawnSync('chroot', [folder, '/bin/true']).status !== 0) {
    throw new Error(`${busybox} does not run in a root of its own: a statically linked one is needed`);
  }
}

/** What all bundles of a run share. */
export interface Surroundings {
  workFolder: string;
  /** The bench's cgroup. */
  cgroup: string;
  controllers: ReadonlySet<string>;
  /** The executor's file. */
  executor: string;
}

/** Files that containers mount, and the places for them in the root: nobody should measure the making of those. */
export function makeMounted(workFolder: string, places: number): void {
  const files = `${workFolder}/files`;
  mkdirSync(`${files}/volume`, { recursive: true });
  for (const name of ['hostname', 'hosts', 'resolv.conf']) {
    writeFileSync(`${files}/${name}`, '');
    writeFileSync(`${workFolder}/rootfs/etc/${name}`, '');
  }
  for (let i = 0; i < places; i++) mkdirSync(`${workFolder}/rootfs/m/${i}`, { recursive: true });
}

/** Makes the bundles of a cycle for one runtime, one a lane, and says where they are. */
export function makeBundles(
  { workFolder, cgroup, controllers }: Surroundings,
  profile: string,
  payload: Payload,
  target: string,
  lanes: Cycle['lanes'],
  prefix = target,
): Place[] {
  const make = findProfile(profile);
  const stateRoot = `${workFolder}/state/${target}`;
  mkdirSync(stateRoot, { recursive: true });
  return Array.from({ length: lanes }, (_, lane) => {
    const id = `${prefix}-${lane}`;
    const bundle = `${workFolder}/bundles/${profile}/${payload}/${id}`;
    mkdirSync(bundle, { recursive: true });
    const config = make({
      rootfs: `${workFolder}/rootfs`,
      args: payloads[payload],
      cgroupsPath: `${cgroup}/${id}`,
      files: `${workFolder}/files`,
      controllers,
    });
    writeFileSync(`${bundle}/config.json`, JSON.stringify(config));
    return { id, bundle, stateRoot, pidFile: `${bundle}/pid` };
  });
}
