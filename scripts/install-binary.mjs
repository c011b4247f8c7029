// @ts-check
/**
 * `npm run install-binary -- [--prefix DIR] [--destdir DIR] [--uninstall]`
 *
 * Copies the binary that `npm run build` made to PREFIX/lib/runts and links PREFIX/bin/runts to it. It is one file that
 * needs no other, so the prefix may be moved or packed afterwards; the link is relative.
 *
 * @module
 */
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { parseArgs } from 'node:util';
import { main, root, ScriptError } from './lib.mjs';

const USAGE = `Usage: npm run install-binary -- [options]

  --prefix DIR    install below DIR, absolute (/usr/local)
  --destdir DIR   put DIR in front of every path, as packagers do
  --uninstall     remove what was installed there
`;

const PROGRAM = 'runts';
/** What earlier versions installed beside it. */
const FORMER = ['koffi.node', 'executor', 'runts.mjs'];

/** @param {string} text */
function print(text) {
  process.stdout.write(`${text}\n`);
}

/** True when something is there, a dangling link too. @param {string} path */
function isThere(path) {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

/** Where a link leads; undefined for anything else. @param {string} path */
function linkTarget(path) {
  return isThere(path) && lstatSync(path).isSymbolicLink() ? readlinkSync(path) : undefined;
}

/** @param {string} name */
const linkTo = (name) => `../lib/runts/${name}`;

/** Refuses to replace or remove a PREFIX/bin/runts that this script didn't make. @param {string} link */
function refuseForeign(link) {
  const target = linkTarget(link);
  if (isThere(link) && ![PROGRAM, ...FORMER].some((name) => target === linkTo(name))) {
    throw new ScriptError(`${link} was not installed by this script: move it away first`);
  }
}

/** @param {string} lib @param {string} link */
function install(lib, link) {
  const built = join(root, 'dist', PROGRAM);
  if (!existsSync(built)) throw new ScriptError(`dist/${PROGRAM} is missing: run 'npm run build' first`);
  refuseForeign(link);
  mkdirSync(lib, { recursive: true });
  mkdirSync(join(link, '..'), { recursive: true });
  // By rename: the one that is there may be running, and must never be seen half written.
  const target = join(lib, PROGRAM);
  writeFileSync(`${target}.new`, readFileSync(built));
  chmodSync(`${target}.new`, 0o755);
  renameSync(`${target}.new`, target);
  print(target);
  rmSync(`${link}.new`, { force: true });
  symlinkSync(linkTo(PROGRAM), `${link}.new`);
  renameSync(`${link}.new`, link);
  print(`${link} -> ${linkTo(PROGRAM)}`);
  for (const name of FORMER) rmSync(join(lib, name), { force: true });
}

/** @param {string} lib @param {string} link */
function uninstall(lib, link) {
  refuseForeign(link);
  const files = [link, ...[PROGRAM, ...FORMER].map((name) => join(lib, name))];
  for (const file of files.filter(isThere)) {
    rmSync(file);
    print(`removed ${file}`);
  }
  // Only our own folder, and only when nothing else was put in it.
  if (existsSync(lib)) rmdirSync(lib);
}

/** @returns {{ prefix: string, destdir: string, uninstall: boolean, help: boolean }} */
function parse() {
  try {
    const { values } = parseArgs({
      options: {
        prefix: { type: 'string', default: '/usr/local' },
        destdir: { type: 'string', default: process.env.DESTDIR ?? '' },
        uninstall: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    return /** @type {ReturnType<typeof parse>} */ (values);
  } catch (error) {
    throw new ScriptError(`${error instanceof Error ? error.message : error}\n\n${USAGE}`);
  }
}

await main(import.meta.url, () => {
  const options = parse();
  if (options.help) return print(USAGE);
  for (const name of /** @type {const} */ (['prefix', 'destdir'])) {
    const path = options[name];
    if (path !== '' && !isAbsolute(path))
      throw new ScriptError(`--${name} must be an absolute path: ${path}`);
  }
  const base = join(options.destdir, options.prefix);
  const lib = join(base, 'lib/runts');
  const link = join(base, 'bin/runts');
  try {
    (options.uninstall ? uninstall : install)(lib, link);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
    throw new ScriptError(`${error.message} (--prefix and --destdir choose another place)`);
  }
});
