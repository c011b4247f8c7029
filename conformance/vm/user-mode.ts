/**
 * A machine of user-mode Linux: a kernel as an ordinary program. README.md says what it lacks, and how fast it is.
 *
 * @module
 */
import { spawn } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CommandMachine } from './boot.ts';
import { temporary } from './cleanup.ts';
import { VmError } from './errors.ts';
import { linesOf } from './lines.ts';
import { type MachineOptions, PORTS } from './machine.ts';
import { userModeFolder, userModeInitramfs } from './paths.ts';

/** Descriptor of the first port. */
const FIRST = 3;

/** Starts it and waits until it asks for its request. */
export async function startUserMode(options: MachineOptions): Promise<CommandMachine> {
  const folder = mkdtempSync(join(tmpdir(), 'runts-uml-'));
  const removeFolder = temporary(folder);
  const lines = PORTS.map((_, i) => `ssl${i + 1}=fd:${FIRST + i}`);
  const args = [
    `mem=${options.memory}M`,
    `initrd=${userModeInitramfs}`,
    `uml_dir=${folder}`,
    'con=null con0=null,fd:1 quiet loglevel=3 panic=-1',
    'fstab=no systemd.gpt_auto=0 systemd.show_status=0 systemd.firstboot=0',
    ...lines,
    ...(options.disk === undefined ? [] : [`ubd0=${options.disk}`]),
  ].flatMap((words) => words.split(' '));
  // Its processes must not outlive us, not even when we are killed: the namespace ends with its first process.
  const command = [
    'unshare',
    '--pid',
    '--fork',
    '--kill-child=KILL',
    '--mount-proc',
    `${userModeFolder}/usr/bin/linux.uml`,
  ];
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', ...command, ...args], {
    stdio: ['ignore', 'pipe', 'pipe', ...PORTS.map(() => 'pipe' as const)],
  });
  let messages = '';
  for (const stream of [child.stdout!, child.stderr!] as Socket[]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      messages = (messages + text).slice(-10_000);
    });
  }
  const exited = new Promise<void>((resolve) => {
    child.once('error', (error) => {
      messages += `${error.message}\n`;
      resolve();
    });
    child.once('close', () => resolve());
  }).then(removeFolder);
  const ports = PORTS.map((_, i) => child.stdio[FIRST + i] as Socket);
  for (const port of ports) port.on('error', () => {});
  const sockets = Object.fromEntries(PORTS.map((name, i) => [name, ports[i]])) as CommandMachine['sockets'];
  const nextLine = linesOf(sockets.control);
  const machine = {
    sockets,
    nextLine,
    ended: exited,
    postMortem: () => messages,
    kill: () => void child.kill('SIGKILL'),
  };
  if ((await nextLine()) === 'ready') return machine;
  machine.kill();
  await exited;
  throw new VmError(`user-mode Linux did not boot: ${messages}`);
}
