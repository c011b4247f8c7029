// @ts-check
/**
 * The programs that building and running need beside Node: a C compiler, and a static busybox for the sample
 * bundles. As root on Debian and its relatives what is missing is installed; elsewhere the command is named.
 *
 * `node scripts/prerequisites.mjs` checks and installs alone.
 *
 * @module
 */
import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, readSync } from 'node:fs';
import { isRoot, main, run, ScriptError, say, which } from './lib.mjs';

/**
 * @typedef {object} Prerequisite
 * @property {string} what in a sentence
 * @property {boolean} required false when there is another way without it
 * @property {() => string | undefined} find its path
 * @property {Record<string, string>} packages by package manager
 */

/** @type {readonly Prerequisite[]} */
const PREREQUISITES = [
  {
    what: 'a C compiler (cc), for the executor',
    required: true,
    // The order in which build-executor.mjs looks; $CC may be a command with arguments, so it is tried there.
    find: () => process.env.CC || which('cc') || which('gcc') || which('clang'),
    packages: {
      'apt-get': 'gcc libc6-dev',
      apk: 'gcc musl-dev linux-headers',
      dnf: 'gcc',
      zypper: 'gcc',
      pacman: 'gcc',
    },
  },
  {
    what: 'a static busybox, for the sample bundles',
    required: false,
    find: findBusybox,
    packages: {
      'apt-get': 'busybox-static',
      apk: 'busybox-static',
      dnf: 'busybox',
      zypper: 'busybox-static',
      pacman: 'busybox',
    },
  },
];

/** How each package manager is told to install. */
const INSTALL = {
  // A dynamic busybox conflicts with the static one: never take a package away from the host.
  'apt-get': 'apt-get install -y --no-install-recommends --no-remove',
  apk: 'apk add',
  dnf: 'dnf install -y',
  zypper: 'zypper install -y',
  pacman: 'pacman -S --noconfirm',
};

/** A statically linked busybox, which runs in an empty root file system. @returns {string | undefined} */
export function findBusybox() {
  for (const name of ['busybox', 'busybox.static', 'busybox-static']) {
    const file = which(name);
    if (file !== undefined && isStatic(file)) return file;
  }
  return undefined;
}

const PT_INTERP = 3;

/** True for a 64-bit little-endian ELF executable that names no dynamic loader (elf(5)). @param {string} file */
function isStatic(file) {
  const head = Buffer.alloc(4096);
  const fd = openSync(file, 'r');
  const length = readSync(fd, head, 0, head.length, 0);
  closeSync(fd);
  if (length < 64 || head.toString('latin1', 0, 6) !== '\x7fELF\x02\x01') return false;
  const offset = Number(head.readBigUInt64LE(32));
  const size = head.readUInt16LE(54);
  const count = head.readUInt16LE(56);
  for (let i = 0; i < count && offset + i * size + 4 <= length; i++) {
    if (head.readUInt32LE(offset + i * size) === PT_INTERP) return false;
  }
  return true;
}

function isDebian() {
  if (!existsSync('/etc/os-release')) return false;
  return /^ID(_LIKE)?=.*\b(debian|ubuntu)\b/m.test(readFileSync('/etc/os-release', 'utf8'));
}

/** @param {readonly string[]} packages @returns {boolean} whether apt-get could install them */
function aptInstall(packages) {
  const [file = '', ...args] = INSTALL['apt-get'].split(' ');
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const attempt = () =>
    spawnSync(file, [...args, '-qq', ...packages], { env, stdio: ['ignore', 2, 2] }).status === 0;
  if (attempt()) return true;
  // New machines come without package lists, old ones with lists that name packages no longer kept.
  say('apt-get update');
  try {
    run('apt-get', ['update', '-qq'], { env });
  } catch {
    return false;
  }
  return attempt();
}

/** The command that installs it on this host, or a sentence. @param {Prerequisite} missing */
function advice(missing) {
  const manager = Object.keys(INSTALL).find((name) => which(name) !== undefined);
  if (manager === undefined) return 'install it with the package manager of this system';
  const command = INSTALL[/** @type {keyof typeof INSTALL} */ (manager)];
  return `install it: ${isRoot ? '' : 'sudo '}${command} ${missing.packages[manager]}`;
}

/**
 * Makes sure of the prerequisites, or says how to.
 *
 * @throws {ScriptError} when a required one is missing and can't be installed from here
 */
export function ensurePrerequisites() {
  for (const item of PREREQUISITES) {
    if (item.find() !== undefined) continue;
    const packages = (item.packages['apt-get'] ?? '').split(' ');
    if (isRoot && isDebian() && which('apt-get') !== undefined) {
      say(`installing ${item.what}: apt-get install ${packages.join(' ')}`);
      if (aptInstall(packages) && item.find() !== undefined) continue;
    }
    const text = `missing: ${item.what}; ${advice(item)}`;
    if (item.required) throw new ScriptError(text);
    say(`${text} (going on without)`);
  }
}

await main(import.meta.url, ensurePrerequisites);
