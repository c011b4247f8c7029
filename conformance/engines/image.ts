/**
 * A small image made of this host's busybox, so that engines need no network.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findBusybox } from '../../scripts/prerequisites.mjs';
import { type Entry, tar } from './tar.ts';

/** What the image is called once an engine has it. */
export const IMAGE = 'docker.io/library/box:latest';

const FOLDERS = 'bin dev etc home proc root run sys tmp usr var'.split(' ');

/** Commands of busybox that the cases use. */
const COMMANDS =
  'cat chmod chown cp cut date dd df echo env false find getty grep head hostname id ip kill ln ls mkdir mknod mount mv nc nproc od ping printf ps readlink rm sed seq sh sleep sort stat stty sync tail test timeout top touch tr true tty umount uname unshare wc wget yes'.split(
    ' ',
  );

const FILES = {
  'etc/passwd': 'root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000:user:/home:/bin/sh\n',
  'etc/group': 'root:x:0:\nuser:x:1000:\nextra:x:2000:user\n',
} as const;

/** The one layer's entries. */
function rootEntries(): Entry[] {
  const busybox = findBusybox();
  if (busybox === undefined) throw new Error('needs a static busybox (Debian: apt install busybox-static)');
  return [
    ...FOLDERS.map((name): Entry => ({ name: `${name}/`, mode: name === 'tmp' ? 0o1777 : 0o755 })),
    { name: 'bin/busybox', mode: 0o755, data: readFileSync(busybox) },
    ...COMMANDS.map((name): Entry => ({ name: `bin/${name}`, mode: 0o777, target: 'busybox' })),
    ...Object.entries(FILES).map(([name, text]): Entry => ({ name, mode: 0o644, data: Buffer.from(text) })),
  ];
}

const digest = (data: Uint8Array) => createHash('sha256').update(data).digest('hex');

export interface Image {
  /** Its full name. */
  readonly name: string;
  /** An archive that is an OCI layout and Docker's own format at once. */
  readonly archive: string;
  /** An archive of the root file system alone. */
  readonly rootfs: string;
}

/**
 * Writes an image's archives.
 *
 * @param folder - where to
 * @param name - full, with its tag
 * @param command - what it runs by default
 */
export function makeImage(folder: string, name = IMAGE, command: readonly string[] = ['sh']): Image {
  const layer = tar(rootEntries());
  const json = (value: unknown) => Buffer.from(JSON.stringify(value));
  const architecture = { x64: 'amd64', arm64: 'arm64' }[process.arch as string] ?? process.arch;
  const config = json({
    architecture,
    os: 'linux',
    config: { Env: ['PATH=/bin', 'FROM_IMAGE=yes'], Cmd: command, WorkingDir: '/' },
    rootfs: { type: 'layers', diff_ids: [`sha256:${digest(layer)}`] },
    history: [{ created_by: 'runts conformance' }],
  });
  const descriptor = (kind: string, data: Uint8Array) => ({
    mediaType: `application/vnd.oci.image.${kind}`,
    digest: `sha256:${digest(data)}`,
    size: data.length,
  });
  const manifest = json({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: descriptor('config.v1+json', config),
    layers: [descriptor('layer.v1.tar', layer)],
  });
  const index = json({
    schemaVersion: 2,
    manifests: [
      {
        ...descriptor('manifest.v1+json', manifest),
        platform: { architecture, os: 'linux' },
        annotations: {
          'io.containerd.image.name': name,
          'org.opencontainers.image.ref.name': name.split(':').pop(),
        },
      },
    ],
  });
  const blob = (data: Uint8Array) => `blobs/sha256/${digest(data)}`;
  const docker = json([{ Config: blob(config), RepoTags: [name], Layers: [blob(layer)] }]);
  const file = (name: string, data: Uint8Array): Entry => ({ name, mode: 0o644, data });
  const archive = tar([
    { name: 'blobs/', mode: 0o755 },
    { name: 'blobs/sha256/', mode: 0o755 },
    file('oci-layout', json({ imageLayoutVersion: '1.0.0' })),
    file('index.json', index),
    file('manifest.json', docker),
    ...[layer, config, manifest].map((data) => file(blob(data), data)),
  ]);
  const base = join(folder, name.replaceAll(/[/:]/g, '-'));
  const image = { name, archive: `${base}.tar`, rootfs: `${base}-rootfs.tar` };
  writeFileSync(image.archive, archive);
  writeFileSync(image.rootfs, layer);
  return image;
}
