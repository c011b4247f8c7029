// @ts-check
/**
 * Tests in the test VM, and of it.
 *
 * Those below test/vm run inside, where limits, systemd, CRIU and AppArmor are, whatever the host has; their outcomes come
 * out as lines of JSON. Other tests start machines themselves.
 *
 * @module
 */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { wholeLines } from '../conformance/vm/lines.ts';
import { missingForVm } from '../conformance/vm/vm.ts';
import { childEnv, root } from './lib.mjs';

/** @typedef {import('./test-outcomes.mjs').Emit} Emit */
/** @typedef {import('./test-jobs.mjs').Job} Job */

/**
 * What a test puts in the place of the VM.
 *
 * @typedef {object} Place
 * @property {string} program takes the options and the command of conformance/vm/run
 * @property {() => string | undefined} missing why it can't be
 * @property {string} tests the folder of the tests that belong there, with a slash
 */

/** @returns {string | undefined} */
function missing() {
  return (
    missingForVm() ?? (availableMemory() < MEMORY_KIB ? 'the test VM needs 3 GiB of free memory' : undefined)
  );
}

/** @type {Place} */
const VM = { program: 'conformance/vm/main.ts', missing, tests: 'test/vm/' };

/** Debian's packages that the tests want and a host need not have. */
const PACKAGES = ['apparmor', 'criu', 'iproute2', 'iptables'];

/** Seconds for all tests of a machine. One that hangs is found by its silence. */
const LIMIT = 7200;

/** In emulation all takes ten to forty times as long, and the host may be busy too. */
const SLOWNESS = 20;

/** Exit status of conformance/vm/run when the VM itself fails. */
const VM_FAILED = 125;

/** Whether a file has to do with VMs. @param {string} file relative to the project's folder */
export function needsVm(file) {
  const startsOne = () => /\brunInVm\b/.test(readFileSync(join(root, file), 'utf8'));
  const machines = ['conformance/vm/', 'conformance/arm64/'];
  return [VM.tests, ...machines].some((folder) => file.startsWith(folder)) || startsOne();
}

/**
 * Runs a command in a VM; in a process of its own, so that a machine that hangs can be ended.
 *
 * @param {Place} place
 * @param {readonly string[]} args of conformance/vm/run
 * @param {AbortSignal} signal
 * @param {(line: string) => void} onLine gets what the command prints
 * @param {(step: string) => void} onStep gets what the VM says of itself
 * @returns {Promise<{ status: number | null, messages: string }>}
 */
function runVm({ program }, args, signal, onLine, onStep) {
  const child = spawn(process.execPath, ['--import', 'tsx', program, '--time', ...args], {
    cwd: root,
    env: childEnv(),
    stdio: ['ignore', 'pipe', 'pipe'],
    signal,
  });
  let messages = '';
  const onMessage = wholeLines((line) => {
    if (line.startsWith('vm: ')) onStep(line.slice('vm: '.length));
    if (!/^vm: \S+ after [\d.]+ s$/.test(line)) messages += `${line}\n`;
  });
  child.stdout.setEncoding('utf8').on('data', wholeLines(onLine));
  child.stderr.setEncoding('utf8').on('data', onMessage);
  return new Promise((resolve) => {
    child.once('error', (error) => {
      messages += error.message;
    });
    child.once('close', (status) => resolve({ status, messages: messages.trim() }));
  });
}

/** A sign of life, which keeps a job from being stopped. @param {Emit} emit @param {string} file */
function lifeSign(emit, file) {
  return () => emit({ kind: 'output', file, name: '', text: '' });
}

/** @param {string} messages of a VM that failed */
function reasonOf(messages) {
  return `no test VM here: ${messages.replaceAll(/\s+/g, ' ').slice(0, 500) || 'it does not start'}`;
}

/** A machine has 2 GiB, of which it hardly uses a half; other tests run at the same time. */
const MEMORY_KIB = 3 << 20;

/** @returns {number} KiB; proc_meminfo(5) */
function availableMemory() {
  return Number(/^MemAvailable: *(\d+)/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1]);
}

/**
 * Why there is no VM here, with the remedy; else the options for one. Fetches the kernel and the packages when they are
 * not there yet. Without the packages (no network) it is still good for something.
 *
 * @param {Place} place
 * @param {Emit} emit
 * @param {AbortSignal} signal
 * @returns {Promise<{ reason: string } | { reason: undefined, options: string[] }>}
 */
async function tryVm(place, emit, signal) {
  const reason = place.missing();
  if (reason !== undefined) return { reason };
  let said = '';
  for (const packages of [PACKAGES, []]) {
    const options = packages.flatMap((name) => ['--package', name]);
    const step = lifeSign(emit, 'test/vm');
    const { status, messages } = await runVm(place, [...options, '--', 'true'], signal, step, step);
    if (status === 0) return { reason: undefined, options };
    said ||= messages;
  }
  return { reason: reasonOf(said) };
}

/** Where tests are that were made for the VM; below it at their own paths, as JavaScript. */
const BUNDLES = join(root, 'dist/vm/tests');

/** Makes one file of a test. @param {string} file @returns {Promise<string>} its path relative to the project's folder */
async function bundled(file) {
  const { bundleForVm } = await import('../conformance/vm/bundle.ts');
  await bundleForVm({ entryPoints: [join(root, file)], outdir: BUNDLES, outbase: root, logLevel: 'error' });
  return relative(root, join(BUNDLES, file)).replace(/ts$/, 'mjs');
}

/** The name of what was bundled. @param {string} file */
function sourceOf(file) {
  const path = relative(BUNDLES, join(root, file));
  return path.startsWith('..') ? file : path.replace(/mjs$/, 'ts');
}

/**
 * A file of tests in a machine of its own, which starts in a second or two.
 *
 * @param {Place} place
 * @param {string} name of the file
 * @param {readonly string[]} options
 * @returns {Job}
 */
function machineJob(place, name, options) {
  // The disk, as an overlay can't hold everything, and its page cache is charged to the tests' cgroups.
  const env = {
    TMPDIR: '/scratch',
    RUNTS_TEST_SLOWNESS: SLOWNESS,
    ...(process.env.RUNTS && { RUNTS: process.env.RUNTS }),
  };
  const args = [
    ...options,
    ...Object.entries(env).flatMap(([key, value]) => ['--env', `${key}=${value}`]),
    ...['--timeout', String(LIMIT), '--', process.execPath, 'scripts/test-lines.mjs'],
  ];
  /** @type {Job['run']} */
  const run = async (emit, signal) => {
    let started = false;
    const alive = lifeSign(emit, name);
    const onLine = (/** @type {string} */ line) => {
      if (!line.startsWith('{')) return alive();
      const outcome = JSON.parse(line);
      emit({ ...outcome, file: sourceOf(outcome.file), name: sourceOf(outcome.name) });
    };
    const { status, messages } = await runVm(
      place,
      [...args, await bundled(name)],
      signal,
      onLine,
      (step) => {
        started ||= step.startsWith('start ');
        alive();
      },
    );
    if (status === 0) return;
    // A VM that doesn't come up says nothing of runts.
    if (status === VM_FAILED && !started) emit({ kind: 'skip', file: name, name, text: reasonOf(messages) });
    else
      emit({
        kind: 'fail',
        file: name,
        name,
        text: `the VM's exit status: ${status}\n${messages.slice(-4000)}`,
      });
  };
  return { name, run };
}

/**
 * The jobs of files that need a VM; when there is none, the tests will say so themselves, one by one.
 *
 * @param {readonly string[]} files
 * @param {(file: string) => Job} onHost
 * @param {(job: Job) => Promise<void>} perform
 * @param {Place} [place]
 * @returns {Promise<Job[]>}
 */
export async function vmJobs(files, onHost, perform, place = VM) {
  const inside = files.filter((file) => file.startsWith(place.tests));
  let vm = /** @type {Awaited<ReturnType<typeof tryVm>>} */ ({ reason: 'the test VM hangs' });
  const run = async (/** @type {Emit} */ emit, /** @type {AbortSignal} */ signal) => {
    vm = await tryVm(place, emit, signal);
    if (vm.reason !== undefined && inside.length > 0) {
      emit({ kind: 'skip', file: 'test/vm', name: 'test/vm in the VM', text: vm.reason });
    }
  };
  await perform({ name: 'test/vm', run });
  if (vm.reason !== undefined) {
    process.env.RUNTS_NO_VM = vm.reason;
    return files.map(onHost);
  }
  const { options } = vm;
  const optionsOf = (/** @type {string} */ file) => [
    ...(file.includes('systemd') ? ['--systemd'] : []),
    ...options,
  ];
  return files.map((file) =>
    inside.includes(file) ? machineJob(place, file, optionsOf(file)) : onHost(file),
  );
}
