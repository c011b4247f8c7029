/**
 * The virtual machine as QEMU's command line and the kernel's.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import type { HostProcessor } from './accelerator.ts';
import { initramfs, kernelImage } from './paths.ts';
import { runProgram } from './programs.ts';

/** What differs between machines; everything else goes with the request, after the boot. */
export interface MachineOptions {
  /** MiB. */
  readonly memory: number;
  readonly cpus: number;
  /** Folders that the guest may write, at the same path. */
  readonly shares: readonly string[];
  /** Folder of unpacked packages over the host's root. */
  readonly layer?: string;
  /** Image of the scratch disk. */
  readonly disk?: string;
}

/** Ports by number - 1, as guest/init.c names them. */
export const PORTS = ['out', 'err', 'control', 'in'] as const;

/** A name within a comma-separated QEMU option. */
function quoted(path: string): string {
  return path.replaceAll(',', ',,');
}

function nineP(id: string, path: string, tag: string, readonly: boolean): string[] {
  // remap: the host's root is made of several file systems, whose inode numbers may collide.
  const access = `security_model=none,multidevs=remap${readonly ? ',readonly=on' : ''}`;
  return [
    ...['-fsdev', `local,id=${id},path=${quoted(path)},${access}`],
    ...['-device', `virtio-9p-device,fsdev=${id},mount_tag=${tag}`],
  ];
}

/**
 * QEMU's arguments without those for memory.
 *
 * "microvm" has no PCI bus and boots a second sooner than the other machine types in emulation.
 *
 * @param sockets folder with a listening socket for each port and `monitor`
 * @param console file for the kernel's messages
 */
export function machineArguments(
  processor: HostProcessor,
  options: MachineOptions,
  sockets: string,
  console: string,
): string[] {
  const kvm = processor.accelerator === 'kvm';
  const socket = (id: string) => ['-chardev', `socket,id=${id},path=${quoted(`${sockets}/${id}`)}`];
  const args = [
    ...['-M', 'microvm,rtc=on,isa-serial=on,ioapic2=on', '-nodefaults', '-no-user-config', '-no-reboot'],
    ...['-accel', kvm ? 'kvm' : 'tcg,thread=multi,tb-size=512', '-cpu', kvm ? 'host' : 'max'],
    ...['-smp', String(options.cpus), '-m', String(options.memory), '-numa', 'node,memdev=memory'],
    // vhost and friends refuse the legacy protocol.
    ...['-global', 'virtio-mmio.force-legacy=false', '-display', 'none'],
    ...['-chardev', `file,id=console,path=${quoted(console)}`, '-serial', 'chardev:console'],
    ...[...socket('monitor'), '-mon', 'chardev=monitor,mode=control'],
    ...['-kernel', kernelImage, '-initrd', initramfs, '-append', kernelArguments(processor)],
    ...nineP('host', '/', 'host', true),
    ...['-device', `virtio-serial-device,max_ports=${PORTS.length + 1}`],
  ];
  PORTS.forEach((name, i) => {
    args.push(...socket(name), '-device', `virtserialport,chardev=${name},nr=${i + 1},name=${name}`);
  });
  if (options.layer !== undefined) args.push(...nineP('layer', options.layer, 'layer', true));
  options.shares.forEach((path, i) => {
    args.push(...nineP(`share${i}`, path, `share${i}`, false));
  });
  if (options.disk !== undefined) {
    const drive = `if=none,id=scratch,file=${quoted(options.disk)},format=raw,cache=unsafe,discard=unmap`;
    args.push('-drive', drive, '-device', 'virtio-blk-device,drive=scratch');
  }
  return args;
}

function kernelArguments({ counterKhz }: HostProcessor): string {
  return [
    'console=ttyS0 quiet loglevel=3 panic=-1 reboot=t',
    // Without the frequency the boot hangs; without "reliable" the clock falls back to steps of 4 ms.
    `tsc_early_khz=${counterKhz} tsc=reliable`,
    // A throw-away machine for tests: what costs time at boot and protects nothing here.
    'nokaslr mitigations=off rodata=off cryptomgr.notests audit=0',
    'cgroup_no_v1=all fstab=no systemd.gpt_auto=0 systemd.show_status=0 systemd.firstboot=0',
  ].join(' ');
}

/** A name for the machine in the state that a snapshot has: paths of host files are not part of it. */
export function machineKey(processor: HostProcessor, options: MachineOptions): string {
  const { shares, layer, disk, ...rest } = options;
  const shape = {
    ...rest,
    shares: shares.map(() => '/share'),
    ...(layer === undefined ? {} : { layer: '/layer' }),
    ...(disk === undefined ? {} : { disk: '/disk', size: statSync(disk).size }),
  };
  const files = [kernelImage, initramfs].map((file) => `${statSync(file).mtimeMs} ${statSync(file).size}`);
  const version = runProgram('qemu-system-x86_64', ['--version']).toString();
  const parts = [machineArguments(processor, shape, '/sockets', '/console'), shape, files, version];
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 16);
}
