// @ts-check
/**
 * Makes an executable of a TypeScript program: QuickJS, and the heap as it is once the program's top level has run.
 *
 * QuickJS comes as C sources in an npm package, and is compiled once. See ffi/quickjs/engine.c for how the heap gets into
 * the executable.
 *
 * @module
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { findCompiler } from './build-executor.mjs';
import { filesBelow } from './incremental.mjs';
import { capture, root, run, ScriptError, which } from './lib.mjs';
import { QUICKJS_CHANGES } from './quickjs-changes.mjs';

const SOURCES = join(root, 'node_modules/qjsc/deps/quickjs_2021_03_27');
const PARTS = ['quickjs', 'libregexp', 'libunicode', 'cutils', 'libbf'];
/** Our own, in ffi/quickjs. */
const OURS = ['engine', 'math', 'tape'];

/** For a fixed address: the heap has pointers to the code. */
const COMPILE = ['-std=gnu11', '-O2', '-fno-pie', '-fno-strict-aliasing', '-fwrapv', '-g0'];
const DEFINES = ['-DCONFIG_BIGNUM', '-DCONFIG_VERSION="2021-03-27"'];
/** The addresses are engine.c's. */
const LINK = [
  '-no-pie',
  '-Wl,--section-start=.runts.heap=0x10000000',
  '-Wl,-Ttext-segment=0x60000000',
  '-Wl,-z,now',
  '-Wl,--build-id=none',
  '-Wl,-s',
];
const LIBRARIES = ['-ldl'];

/** What QuickJS understands beyond ES2020. */
const SUPPORTED = {
  'class-field': true,
  'class-private-accessor': true,
  'class-private-field': true,
  'class-private-method': true,
  'class-private-static-accessor': true,
  'class-private-static-field': true,
  'class-private-static-method': true,
  'class-static-field': true,
};

/** The files that the objects in dist/quickjs are made of. */
export function engineInputs() {
  return [
    ...filesBelow(SOURCES, /^[^/]*\.[ch]$/),
    ...filesBelow(join(root, 'ffi/quickjs'), /\.[ch]$/),
    join(root, 'ffi/abi.h'),
    join(root, 'scripts/build-program.mjs'),
    join(root, 'scripts/quickjs-changes.mjs'),
  ];
}

/**
 * What compiles and starts programs for a machine.
 *
 * @typedef {object} Toolchain
 * @property {string} objects where QuickJS's objects are
 * @property {readonly string[]} compiler with its first arguments
 * @property {readonly string[]} emulator what a program for that machine is started with; nothing on that machine itself
 */

/**
 * @param {string} machine as process.arch names it
 * @returns {Toolchain}
 * @throws {ScriptError} when something is missing
 */
export function toolchainFor(machine = process.arch) {
  if (machine === process.arch) {
    const compiler = findCompiler();
    if (compiler === undefined)
      throw new ScriptError('no C compiler for QuickJS: apt-get install gcc libc6-dev');
    return { objects: join(root, 'dist/quickjs'), compiler, emulator: [] };
  }
  const reason = noCrossTools(machine);
  if (reason !== undefined) throw new ScriptError(reason);
  // The C library for that machine, with its loader.
  const loader = capture(CROSS.compiler, [`-print-file-name=${CROSS.loader}`]) ?? '';
  const emulator = [/** @type {string} */ (emulatorFile()), '-L', dirname(dirname(resolve(loader)))];
  return { objects: join(root, `dist/quickjs.${machine}`), compiler: [CROSS.compiler], emulator };
}

/** Another machine than this one can be built for on any that has these. */
const CROSS = {
  machine: 'arm64',
  compiler: 'aarch64-linux-gnu-gcc',
  loader: 'ld-linux-aarch64.so.1',
  emulators: ['qemu-aarch64-static', 'qemu-aarch64'],
  packages: 'gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user-static',
};

const emulatorFile = () => CROSS.emulators.map(which).find((file) => file !== undefined);

/**
 * Why this machine can't build for another one: one line, undefined when it can.
 *
 * @param {string} machine
 */
export function noCrossTools(machine) {
  if (machine !== CROSS.machine)
    return `no build for ${machine} on ${process.arch}, only for ${CROSS.machine}`;
  const remedy = `: apt-get install ${CROSS.packages}`;
  if (which(CROSS.compiler) === undefined) return `no ${CROSS.compiler}${remedy}`;
  // The compiler gives the name back when it knows no such file.
  for (const name of [CROSS.loader, 'crt1.o'])
    if (!capture(CROSS.compiler, [`-print-file-name=${name}`])?.includes('/'))
      return `${CROSS.compiler} has no ${name}${remedy}`;
  if (emulatorFile() === undefined) return `no ${CROSS.emulators[0]}${remedy}`;
  return undefined;
}

/** The objects, for a build step. @param {string} [machine] */
export const engineOutputs = (machine = process.arch) =>
  OBJECTS.map((name) =>
    join(root, machine === process.arch ? 'dist/quickjs' : `dist/quickjs.${machine}`, `${name}.o`),
  );

const OBJECTS = [...PARTS, ...OURS];

/** @param {Toolchain} tools @param {readonly string[]} args */
function compile({ compiler: [file, ...first] }, args) {
  run(/** @type {string} */ (file), [...first, ...args]);
}

/** Compiles QuickJS and what of the engine is ours. @param {Toolchain} tools */
export function buildEngine(tools) {
  if (!existsSync(SOURCES))
    throw new ScriptError(`QuickJS is missing: ${relative(root, SOURCES)}; run: npm ci`);
  const { objects } = tools;
  mkdirSync(objects, { recursive: true });
  const copies = Object.keys(QUICKJS_CHANGES);
  for (const name of copies) {
    const source = readFileSync(join(SOURCES, name), 'utf8');
    writeFileSync(join(objects, name), changed(source, QUICKJS_CHANGES[name] ?? []));
  }
  const found = [`-isystem${objects}`, `-isystem${SOURCES}`];
  for (const name of PARTS) {
    const source = join(copies.includes(`${name}.c`) ? objects : SOURCES, `${name}.c`);
    const flags = [...COMPILE, ...DEFINES, '-D_GNU_SOURCE', '-w', ...found];
    compile(tools, [...flags, '-c', source, '-o', join(objects, `${name}.o`)]);
  }
  for (const name of OURS) {
    const source = join(root, 'ffi/quickjs', `${name}.c`);
    // -fno-builtin: math.c must not be told to call itself.
    const flags = [...COMPILE, ...DEFINES, '-fno-builtin', '-Wall', '-Wextra', ...found];
    compile(tools, [...flags, '-c', source, '-o', join(objects, `${name}.o`)]);
  }
  for (const name of copies) rmSync(join(objects, name));
}

/** @param {string} source @param {readonly { from: string, to: string }[]} changes */
function changed(source, changes) {
  return changes.reduce((text, { from, to }) => {
    if (text.split(from).length !== 2)
      throw new ScriptError(`QuickJS is another one than the build knows: ${from}`);
    return text.replace(from, () => to);
  }, source);
}

/**
 * @typedef {object} ProgramOptions
 * @property {Record<string, string>} [defines] constants for the sources
 * @property {Record<string, string>} [alias] modules in the place of others
 * @property {Toolchain} [tools] for which machine; this one when absent
 * @property {string} [metafile] where the bundle's contents are told, for statistics
 */

/**
 * Makes the executable. {@link buildEngine} must have been called.
 *
 * @param {readonly string[]} modules files; the first is the one that begins, the others are run at build time too
 * @param {string} outfile
 * @param {ProgramOptions} [options]
 */
export async function buildProgram(modules, outfile, options = {}) {
  const { tools = toolchainFor() } = options;
  const folder = mkdtempSync(join(tmpdir(), 'runts-program-'));
  try {
    const script = join(folder, 'program.js');
    await bundle(modules, script, options);
    const linked = join(folder, 'engine');
    const image = join(folder, 'heap');
    link(tools, folder, linked);
    const [file, ...args] = [...tools.emulator, linked, '--heap-of', script, image];
    run(/** @type {string} */ (file), args, { env: {}, cwd: folder });
    link(tools, folder, `${linked}.full`, image);
    renameAcross(`${linked}.full`, outfile);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** @param {string} from @param {string} to on any file system */
function renameAcross(from, to) {
  const temporary = `${to}.${process.pid}`;
  writeFileSync(temporary, readFileSync(from), { mode: 0o755 });
  renameSync(temporary, to);
}

/** @param {Toolchain} tools @param {string} folder @param {string} output @param {string} [image] */
function link(tools, folder, output, image) {
  const heap = join(folder, 'heap.o');
  const define = image === undefined ? [] : [`-DIMAGE="${image}"`];
  compile(tools, [...define, '-c', join(root, 'ffi/quickjs/heap.S'), '-o', heap]);
  // The same objects in the same order: only the content of the heap's section may differ.
  const objects = OBJECTS.map((name) => join(tools.objects, `${name}.o`));
  compile(tools, [...LINK, ...objects, heap, '-o', output, ...LIBRARIES]);
}

/** @param {readonly string[]} modules @param {string} outfile @param {ProgramOptions} options */
async function bundle(modules, outfile, { defines = {}, alias = {}, metafile }) {
  const { build } = await import('esbuild');
  const imports = modules.map((file) => `import ${JSON.stringify(file)};`).join('\n');
  const result = await build({
    stdin: { contents: imports, resolveDir: root, sourcefile: 'program.ts', loader: 'ts' },
    outfile,
    absWorkingDir: root,
    bundle: true,
    platform: 'neutral',
    format: 'iife',
    target: 'es2020',
    supported: SUPPORTED,
    conditions: ['quickjs'],
    alias,
    // Names stay readable in a stack trace.
    minifySyntax: true,
    minifyWhitespace: true,
    // QuickJS's own: no source texts, file names and lines are kept; functions keep their names.
    banner: { js: '"use strip";' },
    define: { 'import.meta.url': '"file:///runts"', ...defines },
    metafile: true,
    logLevel: 'warning',
  }).catch(() => {
    throw new ScriptError('the sources could not be bundled for QuickJS');
  });
  if (metafile !== undefined) writeFileSync(metafile, JSON.stringify(result.metafile));
}
