/**
 * One QEMU process: its sockets, its monitor, its end.
 *
 * @module
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { HostProcessor } from './accelerator.ts';
import { temporary } from './cleanup.ts';
import { VmError } from './errors.ts';
import { linesOf } from './lines.ts';
import { type MachineOptions, machineArguments, PORTS } from './machine.ts';

type SocketName = (typeof PORTS)[number] | 'monitor';

/** How much of the kernel's console an error shows, in lines. */
const CONSOLE_LINES = 40;

/** A started machine, as far as a command needs it. */
export interface CommandMachine {
  readonly sockets: Readonly<Record<(typeof PORTS)[number], Socket>>;
  /** The next line of the control port; undefined when the machine has ended. */
  nextLine(): Promise<string | undefined>;
  /** Resolves when the process has ended and its output has been read. */
  readonly ended: Promise<void>;
  kill(): void;
  /** What is left to say of a machine that ended by itself. */
  postMortem(): string;
}

/** A started machine of QEMU. */
export interface Machine extends CommandMachine {
  readonly sockets: Readonly<Record<SocketName, Socket>>;
  /** One command of QEMU's monitor protocol (QMP), not before the last one's end; its return value. */
  monitor(execute: string, args?: object): Promise<unknown>;
}

/**
 * Where a machine's memory lies.
 *
 * - `fresh`: anonymous.
 * - `saved`: in that file, shared with it.
 * - `restored`: that file's content, copied when written; the machine waits for its state.
 */
export type Memory =
  | { readonly kind: 'fresh' }
  | { readonly kind: 'saved' | 'restored'; readonly file: string };

function memoryArguments(memory: Memory, size: number): string[] {
  const common = `id=memory,size=${size}M`;
  if (memory.kind === 'fresh') return ['-object', `memory-backend-memfd,${common},share=on`];
  const file = `mem-path=${memory.file.replaceAll(',', ',,')}`;
  const share = memory.kind === 'saved' ? 'on' : 'off';
  const args = ['-object', `memory-backend-file,${common},${file},share=${share}`];
  return memory.kind === 'saved' ? args : [...args, '-incoming', 'defer'];
}

/** Listens; the one connection is QEMU's. */
function listen(path: string): Promise<{ server: Server; socket: Promise<Socket> }> {
  return new Promise((resolve, reject) => {
    // allowHalfOpen: input may end long before output does.
    const server = createServer({ allowHalfOpen: true });
    const socket = new Promise<Socket>((connected) => server.once('connection', connected));
    server.once('error', reject);
    server.listen(path, () => resolve({ server, socket }));
  });
}

interface Reply {
  readonly QMP?: object;
  readonly event?: string;
  readonly return?: unknown;
  readonly error?: { readonly desc: string };
}

/** Commands are answered in order, one at a time; events come in between. */
function monitorOf(socket: Socket): Machine['monitor'] {
  const nextLine = linesOf(socket);
  return async (execute, args) => {
    socket.write(`${JSON.stringify({ execute, ...(args && { arguments: args }) })}\n`);
    for (;;) {
      const line = await nextLine();
      if (line === undefined) throw new VmError(`QEMU ended at ${execute}`);
      const reply = JSON.parse(line) as Reply;
      if (reply.QMP !== undefined || reply.event !== undefined) continue;
      if (reply.error !== undefined) throw new VmError(`QEMU, ${execute}: ${reply.error.desc}`);
      return reply.return;
    }
  };
}

/**
 * Starts QEMU.
 *
 * @throws {VmError} when it ends before its sockets are connected
 */
export async function boot(
  processor: HostProcessor,
  options: MachineOptions,
  memory: Memory,
): Promise<Machine> {
  // Not below the project: a socket's path has 108 bytes at most (unix(7)).
  const folder = mkdtempSync(join(tmpdir(), 'runts-vm-'));
  const removeFolder = temporary(folder);
  const console = join(folder, 'console');
  const names: SocketName[] = [...PORTS, 'monitor'];
  const listening = await Promise.all(names.map((name) => listen(join(folder, name))));
  const args = [
    ...memoryArguments(memory, options.memory),
    ...machineArguments(processor, options, folder, console),
  ];
  // The machine must not outlive us, not even when we are killed.
  const child: ChildProcess = spawn('setpriv', ['--pdeathsig', 'KILL', 'qemu-system-x86_64', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let messages = '';
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      messages += text;
    });
  }
  let log = '';
  const exited = new Promise<void>((resolve) => {
    child.once('error', (error) => {
      messages += `${error.message}\n`;
      resolve();
    });
    child.once('close', () => resolve());
  }).then(() => {
    for (const { server } of listening) server.close();
    try {
      log = readFileSync(console, 'utf8').trimEnd().split('\n').slice(-CONSOLE_LINES).join('\n');
    } catch {
      // It ended before it opened its console.
    }
    removeFolder();
  });
  const postMortem = () => `${messages}${log}`;
  const connected = await Promise.race([Promise.all(listening.map(({ socket }) => socket)), exited]);
  if (!connected) throw new VmError(`QEMU ended at once: ${postMortem()}`);
  // A killed QEMU may reset a connection; `ended` and the missing exit status tell it.
  for (const socket of connected) socket.on('error', () => {});
  const sockets = Object.fromEntries(names.map((name, i) => [name, connected[i]])) as Machine['sockets'];
  const drained = [sockets.out, sockets.err].map(
    (socket) => new Promise<void>((resolve) => socket.once('close', () => resolve())),
  );
  const ended = exited.then(async () => {
    // Half-open connections close when both sides have ended.
    for (const socket of connected) socket.end();
    await Promise.all(drained);
  });
  const monitor = monitorOf(sockets.monitor);
  const nextLine = linesOf(sockets.control);
  try {
    await monitor('qmp_capabilities');
  } catch {
    child.kill('SIGKILL');
    await exited;
    throw new VmError(`QEMU ended at once: ${postMortem()}`);
  }
  return { sockets, monitor, nextLine, ended, postMortem, kill: () => void child.kill('SIGKILL') };
}
