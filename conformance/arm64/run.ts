/**
 * The cases on a machine.
 *
 * @module
 */
import { noCrossTools } from '../../scripts/build-program.mjs';
import { missingPackages } from '../engines/options.ts';
import { VmError } from '../vm/errors.ts';
import { CASES, type Case } from './cases.ts';
import { arm64Initramfs, MARK } from './image.ts';
import { EMULATOR, runMachine } from './machine.ts';
import type { Arm64Files } from './packages.ts';

/** Debian package by program. */
export const PROGRAMS = {
  [EMULATOR]: 'qemu-system-arm',
  'aarch64-linux-gnu-gcc': 'gcc-aarch64-linux-gnu libc6-dev-arm64-cross',
  'qemu-aarch64-static': 'qemu-user-static',
  'apt-get': 'apt',
  'dpkg-deb': 'dpkg',
  flock: 'util-linux',
  setpriv: 'util-linux',
} as const;

/** Why the cases can't be run here, in one line; undefined when they can. */
export function missingForArm64(): string | undefined {
  if (process.arch === 'arm64') return 'this machine is one: the tests of the host prove more';
  const packages = missingPackages(PROGRAMS);
  if (packages.length > 0) {
    return `an arm64 machine needs: apt-get install --no-install-recommends ${packages.join(' ')}`;
  }
  return noCrossTools('arm64');
}

/** What a machine is made of. */
export interface Prepared {
  readonly files: Arm64Files;
  /** Path of runts for arm64. */
  readonly binary: string;
}

export interface Result {
  readonly status: number;
  readonly output: string;
}

/**
 * Runs cases one after the other, on one machine.
 *
 * @param onResult is called as soon as a case has ended
 * @throws {VmError} when the machine doesn't get to the last one
 */
export async function runCases(
  { files, binary }: Prepared,
  onResult: (one: Case, result: Result) => void,
  cases: readonly Case[] = CASES,
): Promise<void> {
  let done = 0;
  const said: string[] = [];
  await runMachine(files.kernel, arm64Initramfs(files, binary, cases), (line) => {
    const [mark, number, status, output = ''] = line.split(' ');
    if (mark !== MARK) {
      said.push(line);
      return;
    }
    done += 1;
    onResult(cases[Number(number)]!, {
      status: Number(status),
      output: Buffer.from(output, 'base64').toString(),
    });
  });
  if (done < cases.length) {
    throw new VmError(`the arm64 machine ended after ${done} of ${cases.length} cases:\n${said.join('\n')}`);
  }
}
