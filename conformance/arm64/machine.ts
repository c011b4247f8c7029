/**
 * An arm64 machine in QEMU's emulation. It works off the cases and switches itself off.
 *
 * @module
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { temporary } from '../vm/cleanup.ts';
import { VmError } from '../vm/errors.ts';
import { wholeLines } from '../vm/lines.ts';
import { machineSlots, withLock } from '../vm/lock.ts';

/** The emulator; not the one of the test VM. */
export const EMULATOR = 'qemu-system-aarch64';

/** A machine that says nothing for so long hangs. */
const SILENCE_MS = 900_000;

/** How much of the console an error shows, in lines. */
const CONSOLE_LINES = 30;

const MACHINE = [
  // With "max" each system call authenticates pointers, by emulation too.
  ...['-M', 'virt', '-cpu', 'cortex-a72', '-accel', 'tcg,thread=multi', '-smp', '2', '-m', '1024'],
  ...['-nodefaults', '-no-user-config', '-no-reboot', '-display', 'none'],
  ...['-chardev', 'stdio,id=console,signal=off', '-serial', 'chardev:console'],
];

/**
 * Boots and reads the console up to the machine's end.
 *
 * @param kernel path of its image
 * @param onLine gets each line of the console
 * @throws {VmError} when QEMU fails or the machine hangs
 */
export async function runMachine(
  kernel: string,
  initramfs: Uint8Array,
  onLine: (line: string) => void,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'runts-arm64-'));
  const remove = temporary(folder);
  const file = join(folder, 'initramfs');
  writeFileSync(file, initramfs);
  const boot = ['-kernel', kernel, '-initrd', file, '-append', 'console=ttyAMA0 quiet loglevel=1 panic=-1'];
  const last: string[] = [];
  try {
    await withLock(machineSlots(), async () => {
      const argv = ['--pdeathsig', 'KILL', EMULATOR, ...MACHINE, ...boot];
      const child = spawn('setpriv', argv, { stdio: ['ignore', 'pipe', 'pipe'] });
      const kill = () => child.kill('SIGKILL');
      let timer = setTimeout(kill, SILENCE_MS);
      const read = wholeLines((line) => {
        clearTimeout(timer);
        timer = setTimeout(kill, SILENCE_MS);
        last.push(line.trimEnd());
        onLine(line.trimEnd());
      });
      child.stdout.setEncoding('utf8').on('data', read);
      child.stderr.setEncoding('utf8').on('data', read);
      const status = await new Promise<number | null>((resolve, reject) => {
        child.once('error', reject);
        child.once('close', resolve);
      });
      clearTimeout(timer);
      if (status !== 0) {
        const text = last.slice(-CONSOLE_LINES).join('\n');
        throw new VmError(`${EMULATOR} ended with status ${status}:\n${text}`);
      }
    });
  } finally {
    remove();
  }
}
