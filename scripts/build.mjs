// @ts-check
/**
 * `npm run build`: everything in dist/, each part only when what it is made of has changed.
 *
 *   schemas/generated/   types and validators, from the schemas
 *   dist/executor        what acts inside the container, from C
 *   dist/runts           the program, with QuickJS and all that it needs in one file
 *   dist/runts.mjs       the program for Node, with
 *   dist/koffi.node      its foreign function interface, as npm delivers it
 *
 * `node scripts/build.mjs --arch arm64` makes dist/runts.arm64 on another machine: a cross compiler compiles, and an emulator
 * runs the step that fills the program's heap.
 *
 * @module
 */
import {
  chmodSync,
  closeSync,
  copyFileSync,
  existsSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { buildExecutor } from './build-executor.mjs';
import { buildEngine, buildProgram, engineInputs, engineOutputs, toolchainFor } from './build-program.mjs';
import { installDependencies } from './dependencies.mjs';
import { filesBelow, recordedSteps } from './incremental.mjs';
import { capture, main, root, run, ScriptError, say } from './lib.mjs';
import { ensurePrerequisites } from './prerequisites.mjs';

const dist = join(root, 'dist');
const products = {
  binary: join(dist, 'runts'),
  module: join(dist, 'runts.mjs'),
  koffi: join(dist, 'koffi.node'),
};

const ENTRY = join(root, 'src/cli/main.ts');

/** The C library of the running Node, by the loader that its executable names: koffi has a build for either. */
function libcOfNode() {
  const head = Buffer.alloc(4096);
  const fd = openSync(process.execPath, 'r');
  readSync(fd, head);
  closeSync(fd);
  return head.includes('/ld-musl-') ? 'musl' : 'glibc';
}

/** koffi's native module as its npm package for this platform carries it. No install script is involved. */
function koffiOfPlatform() {
  const libc = libcOfNode();
  const variant = `${libc === 'musl' ? 'musl' : 'linux'}_${process.arch}`;
  const file = join(root, `node_modules/@koromix/koffi-linux-${process.arch}/${variant}/koffi.node`);
  if (!existsSync(file))
    throw new ScriptError(`koffi has no build for ${process.arch} with ${libc}: ${file}`);
  return file;
}

/** The commit that is built, `-dirty` with changes to the sources, `unknown` outside of a git checkout. */
function commit() {
  const [top, hash] = capture('git', ['rev-parse', '--show-toplevel', 'HEAD'])?.split('\n') ?? [];
  if (top !== root || hash === undefined) return 'unknown';
  const changes = capture('git', [
    'status',
    '--porcelain',
    '--',
    'src',
    'ffi',
    'schemas',
    'package-lock.json',
  ]);
  return changes === '' ? hash : `${hash}-dirty`;
}

/**
 * Bundles the program for Node.
 *
 * @param {Record<string, string>} defines
 */
async function buildModule(defines) {
  const { build: bundle } = await import('esbuild');
  const temporary = `${products.module}.${process.pid}`;
  const { metafile } = await bundle({
    entryPoints: [ENTRY],
    outfile: temporary,
    absWorkingDir: root,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    // Names and lines stay readable in a stack trace.
    minifySyntax: true,
    define: defines,
    banner: { js: '#!/usr/bin/env node' },
    metafile: true,
    logLevel: 'warning',
  }).catch(() => {
    throw new ScriptError('the sources could not be bundled');
  });
  // A CommonJS dependency that requires a built-in would fail, but only when that line is reached.
  const required = Object.values(metafile.outputs).flatMap((output) => output.imports);
  const bad = required.find((item) => item.kind === 'require-call');
  if (bad)
    throw new ScriptError(`a bundled CommonJS module requires '${bad.path}', which an ES module can't`);
  chmodSync(temporary, 0o755);
  renameSync(temporary, products.module);
}

/**
 * Makes the binary. Every module is run at build time, so that none is at the start of a command.
 *
 * @param {Record<string, string>} defines
 * @param {string} [outfile]
 * @param {string} [machine]
 */
async function buildBinary(defines, outfile = products.binary, machine = process.arch) {
  const modules = ['src', 'ffi'].flatMap((folder) =>
    filesBelow(join(root, folder), /^(?!.*(\.test\.ts$|testing|fixture))(?!quickjs\/|cli\/main).*\.ts$/),
  );
  const ours = modules.filter((file) => !/\/ffi\/(koffi|files-node)\.ts$/.test(file));
  const executor = readFileSync(executorFor(machine)).toString('hex');
  // What runs in most processes comes first: neighbours in the program are neighbours in memory.
  const often = ['run', 'create', 'start', 'exec', 'state', 'kill', 'delete'];
  const first = often.map((name) => join(root, `src/commands/${name}.ts`));
  const begin = [join(root, 'ffi/quickjs/main.ts'), join(root, 'src/cli/app.ts')];
  await buildProgram([...new Set([...begin, ...first, ...ours])], outfile, {
    defines: { ...defines, RUNTS_EXECUTOR: JSON.stringify(executor) },
    tools: toolchainFor(machine),
  });
}

/** @param {string} machine */
const executorFor = (machine) =>
  join(root, machine === process.arch ? 'dist/executor' : `dist/executor.${machine}`);

const step = recordedSteps(join(dist, '.build.json'));

/** Makes the types and validators in schemas/generated/, if the schemas have changed. */
export async function generate() {
  const inputs = [
    ...filesBelow(join(root, 'schemas'), /^(?!generated\/).*\.(json|ts|mjs)$/),
    ...['package-lock.json', 'scripts/generate.mjs'].map((name) => join(root, name)),
  ];
  await step('schemas/generated', inputs, {
    outputs: [join(root, 'schemas/generated')],
    run: () => run(process.execPath, ['scripts/generate.mjs']),
  });
}

function programSources() {
  return [
    ...filesBelow(join(root, 'src'), /(?<!\.test)\.(ts|json)$/),
    ...filesBelow(join(root, 'ffi'), /(?<!\.test)\.(ts|json|c|S)$/),
    ...filesBelow(join(root, 'schemas'), /\.(js|mjs|ts|json)$/),
    ...['package.json', 'package-lock.json', 'tsconfig.json', 'scripts/build.mjs'].map((name) =>
      join(root, name),
    ),
  ];
}

/**
 * @param {string} machine
 * @param {string} outfile
 * @param {readonly string[]} sources
 * @param {Record<string, string>} defines
 */
async function binaryStep(machine, outfile, sources, defines) {
  const objects = engineOutputs(machine);
  await step(relative(root, dirname(objects[0] ?? '')), engineInputs(), {
    outputs: objects,
    run: () => buildEngine(toolchainFor(machine)),
  });
  await step(
    relative(root, outfile),
    [...sources, ...objects, executorFor(machine)],
    { outputs: [outfile], run: () => buildBinary(defines, outfile, machine) },
    defines,
  );
}

function executors() {
  try {
    buildExecutor({ log: (line) => say(`built ${line}`) });
  } catch (error) {
    throw new ScriptError(error instanceof Error ? error.message : String(error));
  }
}

/**
 * Builds the binary for another machine, dist/runts.MACHINE. The rest is the same for all, or npm's.
 *
 * @param {string} machine as process.arch names it
 */
async function buildFor(machine) {
  // Before half a minute is spent.
  toolchainFor(machine);
  await generate();
  executors();
  const defines = { RUNTS_COMMIT: JSON.stringify(commit()) };
  await binaryStep(machine, `${products.binary}.${machine}`, programSources(), defines);
}

/**
 * Builds what is out of date. Dependencies and prerequisites must be there.
 *
 * @returns {Promise<{ command: string[] }>} how to start the built program
 */
export async function build() {
  await generate();
  executors();

  const koffi = koffiOfPlatform();
  await step('dist/koffi.node', [koffi], {
    outputs: [products.koffi],
    run: () => {
      copyFileSync(koffi, `${products.koffi}.${process.pid}`);
      renameSync(`${products.koffi}.${process.pid}`, products.koffi);
    },
  });

  const sources = programSources();
  const defines = { RUNTS_COMMIT: JSON.stringify(commit()) };
  await step(
    'dist/runts.mjs',
    sources,
    { outputs: [products.module], run: () => buildModule(defines) },
    defines,
  );
  await binaryStep(process.arch, products.binary, sources, defines);
  return { command: [products.binary] };
}

await main(import.meta.url, async () => {
  const [option, outfile] = process.argv.slice(2);
  // For a test: what was built already, once more.
  if (option === '--again') return await buildBinary({ RUNTS_COMMIT: JSON.stringify(commit()) }, outfile);
  if (option !== undefined && (option !== '--arch' || outfile === undefined))
    throw new ScriptError('usage: node scripts/build.mjs [--arch MACHINE]');
  installDependencies();
  ensurePrerequisites();
  await (option === undefined || outfile === process.arch ? build() : buildFor(String(outfile)));
});
