/**
 * Bundles made of the machine's busybox.
 *
 * @module
 */

import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import type { Cycle, Payload, Place } from './measures.ts';
import { profiles } from './profiles.ts';

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

/** Makes the bundles of a cycle for one runtime, one a lane, and says where they are. */
export function makeBundles(
  workFolder: string,
  cgroup: string,
  profile: string,
  payload: Payload,
  target: string,
  lanes: Cycle['lanes'],
): Place[] {
  const make = profiles[profile];
  if (make === undefined) {
    throw new Error(`--profile: no profile "${profile}"; there are ${Object.keys(profiles).join(', ')}`);
  }
  const stateRoot = `${workFolder}/state/${target}`;
  mkdirSync(stateRoot, { recursive: true });
  return Array.from({ length: lanes }, (_, lane) => {
    const id = `${target}-${lane}`;
    const bundle = `${workFolder}/bundles/${profile}/${payload}/${id}`;
    mkdirSync(bundle, { recursive: true });
    const config = make({
      rootfs: `${workFolder}/rootfs`,
      args: payloads[payload],
      cgroupsPath: `${cgroup}/${id}`,
    });
    writeFileSync(`${bundle}/config.json`, JSON.stringify(config, undefined, 2));
    return { id, bundle, stateRoot, pidFile: `${bundle}/pid` };
  });
}
