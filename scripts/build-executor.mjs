#!/usr/bin/env node
/**
 * Compiles ffi/executor.c into dist/executor (for this machine) and, where a cross compiler is installed, into
 * dist/executor.arm64 or dist/executor.x64 (for the other one). Does nothing when the inputs haven't changed.
 *
 * As a program: node scripts/build-executor.mjs [--force]
 *
 * @module
 */

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const INPUTS = ['ffi/executor.c', 'ffi/executor.ld', 'ffi/abi.h', 'scripts/build-executor.mjs'];

/** The tape begins at this offset of an image, so the executor can't be longer. */
const SIZE_LIMIT = 4096;

/** @typedef {'x64' | 'arm64'} Machine */

/** @type {Record<Machine, { elfMachine: number, cross: string, flags: string[] }>} */
const MACHINES = {
  x64: { elfMachine: 62, cross: 'x86_64-linux-gnu-gcc', flags: ['-fcf-protection=none'] },
  arm64: { elfMachine: 183, cross: 'aarch64-linux-gnu-gcc', flags: [] },
};

const FLAGS = [
  ...['-std=c11', '-Os', '-Wall', '-Wextra'],
  ...['-ffreestanding', '-fno-builtin', '-nostdlib', '-static', '-fno-pic', '-no-pie'],
  // No libc, no canary, no unwinder, no floating point registers; loops must not become calls of memset.
  ...[
    '-fno-stack-protector',
    '-fno-asynchronous-unwind-tables',
    '-fno-unwind-tables',
    '-fomit-frame-pointer',
  ],
  ...['-mgeneral-regs-only', '-fno-tree-loop-distribute-patterns'],
  ...['-Wl,--build-id=none', '-Wl,-z,norelro', '-Wl,-z,max-page-size=0x10000', '-Wl,-s'],
];

/**
 * Builds what is out of date.
 *
 * @param {{ force?: boolean, log?: (line: string) => void }} [options]
 * @returns {{ executor: string, cross: string | undefined }} paths; `cross` is for the other machine
 * @throws {Error} one line for the user: no compiler, a failed compilation, or an executor that breaks the rules
 */
export function buildExecutor(options = {}) {
  const machine = process.arch;
  if (machine !== 'x64' && machine !== 'arm64')
    throw new Error(`there is no executor for ${machine}, only for x64 and arm64`);
  mkdirSync(join(ROOT, 'dist'), { recursive: true });

  const executor = join(ROOT, 'dist/executor');
  const compiler = findCompiler();
  if (compiler === undefined)
    throw new Error(
      'no C compiler for ffi/executor.c: tried $CC, cc, gcc and clang; install one, e.g. apt-get install gcc',
    );
  compile(compiler, machine, executor, options);

  const other = machine === 'x64' ? 'arm64' : 'x64';
  const cross = join(ROOT, `dist/executor.${other}`);
  const crossCompiler = MACHINES[other].cross;
  if (!works([crossCompiler])) return { executor, cross: undefined };
  compile([crossCompiler], other, cross, options);
  return { executor, cross };
}

/** @returns {string[] | undefined} command and its first arguments */
export function findCompiler() {
  const chosen = process.env.CC?.trim();
  // $CC is taken as it is, so that a wrong one gives its own error instead of another compiler.
  if (chosen) return chosen.split(/\s+/);
  return [['cc'], ['gcc'], ['clang']].find(works);
}

/** @param {string[]} command */
function works([command = '', ...args]) {
  return spawnSync(command, [...args, '--version'], { stdio: 'ignore' }).status === 0;
}

/**
 * @param {string[]} compiler
 * @param {Machine} machine
 * @param {string} output
 * @param {{ force?: boolean, log?: (line: string) => void }} options
 */
function compile(compiler, machine, output, options) {
  const [command = 'cc', ...first] = compiler;
  const args = [...first, ...FLAGS, ...MACHINES[machine].flags, `-Wl,-T,${join(ROOT, 'ffi/executor.ld')}`];
  const stamp = `${output}.stamp`;
  const hash = createHash('sha256').update(JSON.stringify([command, args.slice(0, -1)]));
  for (const input of INPUTS) hash.update(readFileSync(join(ROOT, input)));
  const key = hash.digest('hex');
  if (!options.force && existsSync(output) && existsSync(stamp) && readFileSync(stamp, 'utf8') === key)
    return;

  // Beside the output and renamed: another build, or a test that runs the executor, never sees half of it.
  const temporary = `${output}.${process.pid}.tmp`;
  const run = spawnSync(command, [...args, '-o', temporary, join(ROOT, 'ffi/executor.c')], {
    encoding: 'utf8',
  });
  if (run.error) throw new Error(`cannot run the C compiler ${command}: ${run.error.message}`);
  if (run.status !== 0) throw new Error(`${command} could not compile ffi/executor.c:\n${run.stderr.trim()}`);
  const elf = readFileSync(temporary);
  const problems = checkExecutor(elf, machine);
  if (problems.length > 0) {
    rmSync(temporary);
    throw new Error(`the executor for ${machine} that ${command} made is unusable: ${problems.join('; ')}`);
  }
  renameSync(temporary, output);
  writeFileSync(stamp, key);
  options.log?.(`${output}: ${elf.length} bytes (${machine}, ${command})`);
}

/**
 * What is wrong with an executor: its size, its program headers, anything writable and executable.
 *
 * @param {Uint8Array} elf
 * @param {Machine} machine
 * @returns {string[]} problems; empty when it is as ffi/abi.ts says
 */
export function checkExecutor(elf, machine) {
  if (elf.length < 64 || elf[0] !== 0x7f || elf[1] !== 0x45 || elf[2] !== 0x4c || elf[3] !== 0x46)
    return ['not an ELF file'];
  const view = new DataView(elf.buffer, elf.byteOffset, elf.byteLength);
  const u16 = (/** @type {number} */ at) => view.getUint16(at, true);
  const u32 = (/** @type {number} */ at) => view.getUint32(at, true);
  const u64 = (/** @type {number} */ at) => Number(view.getBigUint64(at, true));
  const hex = (/** @type {number} */ value) => `0x${value.toString(16)}`;

  const problems = [];
  if (elf.length > SIZE_LIMIT) problems.push(`${elf.length} bytes, more than ${SIZE_LIMIT}`);
  if (elf[4] !== 2 || elf[5] !== 1) problems.push('not 64-bit little endian');
  if (u16(16) !== 2) problems.push('not a static executable at fixed addresses (ET_EXEC)');
  if (u16(18) !== MACHINES[machine].elfMachine) problems.push(`for machine ${u16(18)}`);
  if (u64(32) !== 64 || u16(54) !== 56 || u16(56) !== 4 || elf.length < 64 + 4 * 56)
    return [...problems, 'not four program headers behind the ELF header'];

  const [LOAD, STACK, X, W, R] = [1, 0x6474e551, 1, 2, 4];
  const size = u64(64 + 32);
  const expected = [
    { type: LOAD, flags: R | X, offset: 0, address: 0x400000, fileSize: size, memorySize: size },
    { type: LOAD, flags: R, offset: 0x1000, address: 0x10001000, fileSize: 0, memorySize: 8 },
    { type: LOAD, flags: R | W, offset: 0, address: 0x20000000, fileSize: 0, memorySize: 8 },
    { type: STACK, flags: R | W, offset: 0, address: 0, fileSize: 0, memorySize: 0 },
  ];
  expected.forEach((want, index) => {
    const at = 64 + index * 56;
    const flags = u32(at + 4);
    if (flags & W && flags & X) problems.push(`program header ${index} is writable and executable`);
    const have = {
      type: u32(at),
      flags,
      offset: u64(at + 8),
      address: u64(at + 16),
      fileSize: u64(at + 32),
      memorySize: u64(at + 40),
    };
    for (const [name, value] of Object.entries(want)) {
      const found = have[/** @type {keyof typeof have} */ (name)];
      if (found !== value)
        problems.push(`program header ${index}: ${name} is ${hex(found)}, not ${hex(value)}`);
    }
    if (want.type === LOAD && u64(at + 48) !== 0x10000)
      problems.push(`program header ${index}: alignment is ${hex(u64(at + 48))}, not 0x10000`);
  });
  const entry = u64(24);
  if (entry < 0x400000 + 64 + 4 * 56 || entry >= 0x400000 + size) problems.push(`entry point ${hex(entry)}`);
  return problems;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    buildExecutor({ force: process.argv.includes('--force'), log: console.log });
  } catch (error) {
    console.error(`build-executor: ${error instanceof Error ? error.message : error}`);
    process.exitCode = 1;
  }
}
