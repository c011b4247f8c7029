/**
 * Sizes of the tapes of the sample bundles: what the executor maps and performs. Pure but for reading the bundles.
 *
 * @module
 */

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { HEADER, OP } from '../../../ffi/abi.ts';
import { TapeWriter } from '../../../ffi/tape-writer.ts';
import { planInto } from '../../../src/plan/create.ts';
import type { HostFacts } from '../../../src/plan/types.ts';

const BUNDLES = join(import.meta.dirname, '../../../bundles');

/** A current kernel, root. */
const FACTS: HostFacts = {
  machine: 'x64',
  euid: 0,
  egid: 0,
  lastCapability: 40,
  cgroupMount: '/sys/fs/cgroup',
};

/** Operations and bytes of a tape. */
export interface TapeSize {
  operations: number;
  bytes: number;
}

/** The tapes of `create`, by the bundle's name. */
export function tapeSizes(): Record<string, TapeSize> {
  const sizes: Record<string, TapeSize> = {};
  for (const name of readdirSync(BUNDLES).sort()) {
    const file = join(BUNDLES, name, 'config.json');
    if (existsSync(file)) sizes[name] = sizeOf(name, file);
  }
  return sizes;
}

function sizeOf(name: string, file: string): TapeSize {
  const spec = JSON.parse(readFileSync(file, 'utf8'));
  const options = {
    id: name,
    bundle: `/bundles/${name}`,
    rootfs: `/bundles/${name}/rootfs`,
    stateDir: `/run/runts/${name}`,
    mode: 'create' as const,
    cgroupPath: `/${name}`,
    consoleSocket: spec.process.terminal === true ? '/run/console.sock' : undefined,
    noPivot: false,
    noNewKeyring: false,
    preserveFds: 0,
  };
  const { program } = planInto(new TapeWriter('x64'), spec, options, FACTS);
  const fds = { sync: 10, cgroup: 11, start: 12, result: 13, console: 14 };
  const { bytes } = program.finish({ fds, reportFd: fds.sync });
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return {
    operations: (view.getUint32(HEADER.DATA_OFFSET, true) - HEADER.SIZE) / OP.SIZE,
    bytes: bytes.length,
  };
}
