/**
 * What this host's processor can do for the VM: found out once, kept in dist/vm/host.json until the next boot.
 *
 * @module
 */
import { accessSync, constants, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { vmFolder } from './paths.ts';
import { runProgram } from './programs.ts';

/** KVM, or QEMU's emulation ("tiny code generator"). */
export type Accelerator = 'kvm' | 'tcg';

export interface HostProcessor {
  readonly accelerator: Accelerator;
  /**
   * Frequency of the time stamp counter in kHz. The machine type "microvm" has no timer that the kernel could
   * calibrate it by, and under emulation the guest's counter is the host's.
   */
  readonly counterKhz: number;
}

/** The two kinds of hardware virtualization. A /dev/kvm without either can't run a stock kernel. */
function mayHaveKvm(): boolean {
  if (!/^flags\s*:.*\b(vmx|svm)\b/m.test(readFileSync('/proc/cpuinfo', 'utf8'))) return false;
  try {
    accessSync('/dev/kvm', constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * @param boots tries a boot with KVM: only that shows whether nested virtualization is any good
 */
export async function hostProcessor(
  boots: (processor: HostProcessor) => Promise<boolean>,
): Promise<HostProcessor> {
  const file = join(vmFolder, 'host.json');
  const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  if (existsSync(file)) {
    const known = JSON.parse(readFileSync(file, 'utf8')) as HostProcessor & { boot: string };
    if (known.boot === boot) return known;
  }
  const measured = Number(runProgram(join(vmFolder, 'init'), ['counter']).toString());
  // Rounded, so that a snapshot fits again after the host's next boot.
  const counterKhz = Math.round(measured / 1000) * 1000;
  const kvm: HostProcessor = { accelerator: 'kvm', counterKhz };
  const processor: HostProcessor =
    mayHaveKvm() && (await boots(kvm)) ? kvm : { accelerator: 'tcg', counterKhz };
  writeFileSync(file, JSON.stringify({ ...processor, boot }));
  return processor;
}
