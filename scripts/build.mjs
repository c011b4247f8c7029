// @ts-check
/**
 * `npm run build`: everything in dist/, each part only when what it is made of has changed.
 *
 *   schemas/generated/   types and validators, from the schemas
 *   dist/executor        what acts inside the container, from C
 *   dist/koffi.node      the foreign function interface, as npm delivers it
 *   dist/runts.mjs       the program for Node
 *   dist/runts           the program compiled with Bun, where Bun runs
 *
 * @module
 */
import {
  chmodSync,
  closeSync,
  copyFileSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { alignCode, writeWhole } from './align-code.mjs';
import { buildExecutor } from './build-executor.mjs';
import { installDependencies } from './dependencies.mjs';
import { forgetVariables } from './forget-variables.mjs';
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

/**
 * A command lives for some milliseconds. Splitting keeps a module that isn't needed from being set up; the policy makes
 * the engine's compilers, which would be at work in other threads, wait for code that runs a hundred times as often
 * as usual (measured: a fifth less processor time). ES modules, because in CommonJS `import.meta.url` becomes the path
 * on the machine that builds.
 */
const FOR_SHORT_LIVES = ['--bytecode', '--minify', '--format=esm', '--splitting', '--compile-jit-policy=100'];

/** Variables that would run somebody else's code in the place of the program, or beside it. */
const MUST_FORGET = new Set(['BUN_BE_BUN', 'BUN_OPTIONS']);

/** A Bun program reads these from its working directory, which for a runtime is somebody else's bundle. */
const NO_AUTOLOAD = ['dotenv', 'bunfig', 'tsconfig', 'package-json'].map(
  (what) => `--no-compile-autoload-${what}`,
);

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

/** The Bun that npm installed, when it is for this machine and runs on it (it needs glibc and, on x86-64, AVX2). */
function findBun() {
  const name = process.arch === 'arm64' ? 'aarch64' : process.arch;
  const file = join(root, `node_modules/@oven/bun-linux-${name}/bin/bun`);
  return existsSync(file) && capture(file, ['--version']) !== undefined ? file : undefined;
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
 * Compiles the program with Bun.
 *
 * @param {string} bun
 * @param {Record<string, string>} defines
 */
function buildBinary(bun, defines) {
  // For the same sources to give the same file anywhere: the entry relative to the project's folder, the output under its
  // real name (both become part of the program), and nothing of the builder's home and environment.
  const folder = mkdtempSync(join(tmpdir(), 'runts-build-'));
  try {
    const args = ['build', '--compile', ...FOR_SHORT_LIVES, ...NO_AUTOLOAD];
    for (const [name, value] of Object.entries(defines)) args.push('--define', `${name}=${value}`);
    args.push('--outfile', join(folder, 'runts'), relative(root, ENTRY));
    run(bun, args, {
      env: { PATH: process.env.PATH, HOME: folder, TMPDIR: folder },
      stdio: ['ignore', 'ignore', 2],
    });
    const temporary = `${products.binary}.${process.pid}`;
    const program = readFileSync(join(folder, 'runts'));
    const kept = forgetVariables(program).filter((name) => MUST_FORGET.has(name));
    if (kept.length > 0)
      throw new ScriptError(`this Bun reads ${kept.join(', ')} in a way that the build can't take from it`);
    writeWhole(temporary, alignCode(program), 0o755);
    chmodSync(temporary, 0o755);
    renameSync(temporary, products.binary);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

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

/**
 * Builds what is out of date. Dependencies and prerequisites must be there.
 *
 * @returns {Promise<{ command: string[] }>} how to start the built program: the binary, else Node with the module
 */
export async function build() {
  await generate();
  try {
    buildExecutor({ log: (line) => say(`built ${line}`) });
  } catch (error) {
    throw new ScriptError(error instanceof Error ? error.message : String(error));
  }

  const koffi = koffiOfPlatform();
  await step('dist/koffi.node', [koffi], {
    outputs: [products.koffi],
    run: () => {
      copyFileSync(koffi, `${products.koffi}.${process.pid}`);
      renameSync(`${products.koffi}.${process.pid}`, products.koffi);
    },
  });

  const sources = [
    ...filesBelow(join(root, 'src'), /(?<!\.test)\.(ts|json)$/),
    ...filesBelow(join(root, 'ffi'), /(?<!\.test)\.(ts|json)$/),
    ...filesBelow(join(root, 'schemas'), /\.(js|mjs|ts|json)$/),
    ...[
      'package.json',
      'package-lock.json',
      'tsconfig.json',
      'scripts/build.mjs',
      'scripts/align-code.mjs',
    ].map((name) => join(root, name)),
  ];
  const defines = { RUNTS_COMMIT: JSON.stringify(commit()) };

  await step(
    'dist/runts.mjs',
    sources,
    { outputs: [products.module], run: () => buildModule(defines) },
    defines,
  );

  const bun = findBun();
  if (bun === undefined) {
    // Never leave a binary behind that is older than the module.
    rmSync(products.binary, { force: true });
    say(
      `Bun doesn't run on this machine (${process.arch}, ${libcOfNode()}): building for Node only, dist/runts.mjs`,
    );
    return { command: [process.execPath, products.module] };
  }
  await step(
    'dist/runts',
    sources,
    { outputs: [products.binary], run: () => buildBinary(bun, defines) },
    defines,
  );
  return { command: [products.binary] };
}

await main(import.meta.url, async () => {
  installDependencies();
  ensurePrerequisites();
  await build();
});
