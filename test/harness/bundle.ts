/**
 * Bundles for tests.
 *
 * @module
 */

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { baseConfig, type TestSpec } from './config.ts';
import { makeRootfs, sharedRootfs } from './rootfs.ts';
import { TOKEN, temporaryFolder } from './temporary.ts';

export interface BundleOptions {
  /** Changes the config in place. */
  config?: (spec: TestSpec) => void;
  /** Shorthand for `process.args`. */
  args?: readonly string[];
  /**
   * - `busybox` (when absent): its own
   * - `shared`: one for all bundles of this process, for containers that don't write to it
   * - `empty`: an empty folder
   * - `none`: nothing
   * - `{ path }`: a folder that is there
   */
  rootfs?: 'busybox' | 'shared' | 'empty' | 'none' | { path: string };
  /** Name of the bundle's folder; it may have spaces and whatever a path can have. */
  name?: string;
}

export interface Bundle {
  /** Absolute path. */
  path: string;
  /** Absolute path of the container's root. */
  rootfs: string;
  config: TestSpec;
  /** Writes `config` again, after a change. */
  save(): void;
}

/** A bundle that is gone when the test is over (without a test: when the process exits). */
export function tempBundle(t?: TestContext, options: BundleOptions = {}): Bundle {
  const path = join(temporaryFolder(t), options.name ?? 'bundle');
  mkdirSync(path, { recursive: true });
  const rootfs = rootfsOf(path, options.rootfs ?? 'busybox');
  const config = baseConfig();
  if (rootfs !== join(path, 'rootfs')) config.root.path = rootfs;
  // Below the token: so that what is left of it is found, and removed with the world.
  config.linux.cgroupsPath = `/${TOKEN}/${path.split('/').at(-2)}`;
  if (options.args !== undefined) config.process.args = [...options.args];
  options.config?.(config);
  const bundle: Bundle = {
    path,
    rootfs,
    config,
    save: () => writeFileSync(join(path, 'config.json'), `${JSON.stringify(bundle.config, null, 2)}\n`),
  };
  bundle.save();
  return bundle;
}

function rootfsOf(bundle: string, kind: NonNullable<BundleOptions['rootfs']>): string {
  if (typeof kind === 'object') return kind.path;
  if (kind === 'shared') return sharedRootfs();
  const folder = join(bundle, 'rootfs');
  if (kind !== 'none') mkdirSync(folder);
  return kind === 'busybox' ? makeRootfs(folder) : folder;
}
