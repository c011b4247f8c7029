/**
 * Runs a command on a kernel that lacks system calls: `node --import tsx without-syscall.ts NAME[,NAME]... COMMAND [ARG]...`.
 *
 * The executor loads a filter that answers ENOSYS, and becomes the command.
 */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ERRNO, SECCOMP } from '../../ffi/constants/index.ts';
import { socketPair } from '../../ffi/descriptors.ts';
import { currentMachine } from '../../ffi/engine.ts';
import { waitFor } from '../../ffi/processes.ts';
import { bytes, Program, stringArray, words } from '../../ffi/program.ts';
import { planDescriptors, spawnExecutor } from '../../ffi/spawn.ts';
import { SYSCALLS, type SyscallName, syscallNumber } from '../../ffi/syscalls.ts';
import { assemble, image } from '../../ffi/tape.ts';
import { findCommand } from '../harness/index.ts';

const [list = '', command = '', ...args] = process.argv.slice(2);
const names = list.split(',');
for (const name of names) if (!Object.hasOwn(SYSCALLS, name)) throw new Error(`no such system call: ${name}`);

/** struct sock_filter { u16 code; u8 jt, jf; u32 k; } */
function filter(instructions: readonly (readonly [code: number, jt: number, jf: number, k: number])[]) {
  const view = new DataView(new ArrayBuffer(8 * instructions.length));
  instructions.forEach(([code, jt, jf, k], i) => {
    view.setUint16(8 * i, code, true);
    view.setUint8(8 * i + 2, jt);
    view.setUint8(8 * i + 3, jf);
    view.setUint32(8 * i + 4, k, true);
  });
  return bytes(new Uint8Array(view.buffer), 'filter');
}

const [LOAD, JUMP_EQUAL, RETURN] = [0x20, 0x15, 0x06];
const [RET_ERRNO, RET_ALLOW] = [0x00050000, 0x7fff0000];
const rules = filter([
  [LOAD, 0, 0, 0],
  ...names.flatMap((name) => [
    [JUMP_EQUAL, 0, 1, syscallNumber(name as SyscallName, currentMachine())] as const,
    [RETURN, 0, 0, RET_ERRNO | ERRNO.ENOSYS] as const,
  ]),
  [RETURN, 0, 0, RET_ALLOW],
]);

const program = new Program();
const path = command.includes('/') ? command : (findCommand(command) ?? command);
const environment = Object.entries(process.env).map(([key, value]) => `${key}=${value}`);
program.call('seccomp', [SECCOMP.SET_MODE_FILTER, 0, words('sock_fprog', [2 + 2 * names.length, rules])]);
program.call('execve', [path, stringArray([command, ...args]), stringArray(environment)]);
program.call('exit_group', [127]);

const [, report] = socketPair();
const { numbers, fds } = planDescriptors({ report }, 0);
const tape = assemble(program, { machine: currentMachine(), fds: numbers, reportFd: numbers.report });
const executor = readFileSync(join(import.meta.dirname, '../../dist/executor'));
const { code, signal } = waitFor({ pid: spawnExecutor({ image: image(executor, tape), fds }) });
process.exit(code ?? 128 + (signal ?? 0));
