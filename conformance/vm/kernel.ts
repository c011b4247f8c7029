/**
 * The VM's kernel: Debian's package, unpacked beside the build, never installed.
 *
 * The cloud flavour has no 9p, hence the full one.
 *
 * @module
 */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { VmError } from './errors.ts';
import { kernelFolder, kernelImage, packageFolder } from './paths.ts';
import { aptGet, runProgram } from './programs.ts';

/** Offsets in the setup header (Documentation/arch/x86/boot.rst). */
const SETUP_SECTORS = 0x1f1;
const PAYLOAD_OFFSET = 0x248;

/** How a payload begins, and the program that unpacks it. */
const COMPRESSION: readonly (readonly [magic: string, program: string, ...args: string[]])[] = [
  ['fd377a585a00', 'xz', '-dc'],
  ['28b52ffd', 'zstd', '-dcq'],
  ['02214c18', 'lz4', '-dc'],
  ['1f8b', 'gzip', '-dc'],
];

/** The kernel that a bzImage unpacks at boot: an ELF file. */
function uncompressed(bzImage: Buffer): Buffer {
  const begin = (bzImage.readUInt8(SETUP_SECTORS) + 1) * 512 + bzImage.readUInt32LE(PAYLOAD_OFFSET);
  // The last four bytes are the unpacked size.
  const payload = bzImage.subarray(begin, begin + bzImage.readUInt32LE(PAYLOAD_OFFSET + 4) - 4);
  for (const [magic, program, ...args] of COMPRESSION) {
    if (payload.subarray(0, magic.length / 2).toString('hex') === magic) {
      return runProgram(program, args, { input: payload });
    }
  }
  throw new VmError(`the kernel is compressed in an unknown way (${payload.toString('hex', 0, 6)})`);
}

/** The unpacked kernel's release ("6.1.0-56-amd64"), undefined before `buildKernel`. */
export function kernelRelease(): string | undefined {
  const folder = join(kernelFolder, 'lib/modules');
  if (!existsSync(kernelImage) || !existsSync(folder)) return undefined;
  return readdirSync(folder)[0];
}

/** The module files that these modules of the kernel need, in the order of loading. */
export function moduleFiles(names: readonly string[]): string[] {
  const files = names.flatMap((name) =>
    runProgram('modprobe', ['-d', kernelFolder, '-S', kernelRelease()!, '--show-depends', name])
      .toString()
      .split('\n')
      .filter((line) => line.startsWith('insmod '))
      .map((line) => line.split(' ')[1]!),
  );
  return [...new Set(files)];
}

/** Downloads a package and unpacks it. */
function unpack(name: string, folder: string): void {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(packageFolder, { recursive: true });
  process.stderr.write(`vm: downloading ${name}\n`);
  aptGet(['download', '-qq', name], packageFolder);
  const file = readdirSync(packageFolder).find((entry) => entry.startsWith(`${name}_`));
  runProgram('dpkg-deb', ['-x', join(packageFolder, file!), folder]);
  rmSync(join(packageFolder, file!));
}

/** The package with the kernel for Debian's architecture, by apt's lists; undefined when they don't have it. */
export function kernelPackage(architecture: string, options: readonly string[] = []): string | undefined {
  const argv = [...options, 'depends', `linux-image-${architecture}`];
  return /Depends: (linux-image-\S+)/.exec(runProgram('apt-cache', argv).toString())?.[1];
}

/** Downloads and unpacks the kernel. */
export function buildKernel(): void {
  const depends = () => kernelPackage('amd64');
  let name: string | undefined;
  try {
    name = depends();
  } catch {
    // No package lists yet.
  }
  if (name === undefined) {
    runProgram('apt-get', ['update', '-qq']);
    name = depends();
  }
  if (name === undefined) throw new VmError('apt knows no kernel package (linux-image-amd64)');
  unpack(name, kernelFolder);
  // Releases after bookworm ship /usr/lib/modules only; depmod and modprobe look in lib/modules.
  if (!existsSync(join(kernelFolder, 'lib'))) symlinkSync('usr/lib', join(kernelFolder, 'lib'));
  const release = readdirSync(join(kernelFolder, 'lib/modules'))[0]!;
  runProgram('depmod', ['-b', kernelFolder, release]);
  writeFileSync(kernelImage, uncompressed(readFileSync(join(kernelFolder, `boot/vmlinuz-${release}`))));
}
