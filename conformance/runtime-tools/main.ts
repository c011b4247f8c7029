/**
 * `npm run conformance -- runtime-tools DIR [--vm] [--only PROGRAM,…] [--runtimes NAME,…]`
 *
 * Runs a build of the OCI validation suite against runts, and runc and crun where they are installed, each program in a
 * private world of its own; with `--vm` inside the test VM. Fails when a program fails for runts without an entry in
 * known.ts, or passes for another runtime in spite of one. A run of some programs or runtimes renews their results only.
 *
 * @module
 */
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { findCommand, missing } from '../../test/harness/requirements.ts';
import { readPart, writePart } from '../results.ts';
import { wholeLines } from '../vm/lines.ts';
import { KNOWN, type Known } from './known.ts';
import { type Cells, countsOf, mergeCells, type Place, resultText } from './report.ts';
import { hasLegacyCgroups, openSuite, type Runtime, runProgram, type Suite } from './suite.ts';
import type { Outcome } from './tap.ts';

const project = join(import.meta.dirname, '../..');

/** Seconds for one program: some wait ten for a state that does not come. */
const LIMIT = 90;

/** Seconds in the VM, where everything takes ten times as long. */
const VM_LIMIT = 600;

/** Seconds for all programs and runtimes in the VM. */
const VM_TOTAL = 3 * 3600;

interface Options {
  readonly suite: Suite;
  readonly programs: readonly string[];
  readonly runtimes: readonly Runtime[];
  readonly vm: boolean;
  /** Inside the VM: results go to standard output, as one JSON text a line. */
  readonly inside: boolean;
}

/** Runtimes that are there, each with the cgroups that suit it best: crun takes a hybrid layout for v1, and fails. */
function findRuntimes(names: readonly string[]): Runtime[] {
  return names.flatMap((name): Runtime[] => {
    const path = name === 'runts' ? join(project, 'dist/runts') : findCommand(name);
    if (path === undefined) {
      process.stderr.write(`runtime-tools: no ${name} here: left out\n`);
      return [];
    }
    return [{ name, path, cgroups: name === 'crun' && hasLegacyCgroups() ? 'v1' : 'host' }];
  });
}

function parse(args: string[]): Options {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      vm: { type: 'boolean' },
      inside: { type: 'boolean' },
      only: { type: 'string' },
      runtimes: { type: 'string' },
    },
  });
  if (positionals.length !== 1) throw new Error('runtime-tools: give the folder of a built validation suite');
  const suite = openSuite(resolve(positionals[0]!));
  const programs = values.only?.split(',') ?? suite.programs;
  const unknown = programs.filter((name) => !suite.programs.includes(name));
  if (unknown.length > 0) throw new Error(`runtime-tools: no such program: ${unknown.join(', ')}`);
  const runtimes = findRuntimes(values.runtimes?.split(',') ?? ['runts', 'runc', 'crun']);
  return { suite, programs, runtimes, vm: values.vm ?? false, inside: values.inside ?? false };
}

interface Result {
  readonly program: string;
  readonly runtime: string;
  readonly outcome: Outcome;
}

/** Runs all here. A failure that nobody expects gets a second try: some programs race with the clock. */
function runHere({ suite, programs, runtimes, inside }: Options, onResult: (result: Result) => void): void {
  const limit = inside ? VM_LIMIT : LIMIT;
  for (const program of programs) {
    for (const runtime of runtimes) {
      let outcome = runProgram(suite, program, runtime, limit);
      if (outcome.verdict === 'fail' && KNOWN[program] === undefined) {
        outcome = runProgram(suite, program, runtime, limit);
      }
      onResult({ program, runtime: runtime.name, outcome });
    }
  }
}

async function runInside(
  { suite, programs, runtimes }: Options,
  onResult: (result: Result) => void,
): Promise<void> {
  const { Writable } = await import('node:stream');
  const { streamInVm } = await import('../vm/vm.ts');
  const read = wholeLines((line) => onResult(JSON.parse(line) as Result));
  const stdout = new Writable({
    write(chunk: Buffer, _encoding, done) {
      read(chunk.toString());
      done();
    },
  });
  const main = join(import.meta.dirname, '../main.ts');
  const command = [process.execPath, '--import', 'tsx', main, 'runtime-tools', suite.folder, '--inside'];
  const choice = ['--only', programs.join(','), '--runtimes', runtimes.map(({ name }) => name).join(',')];
  const status = await streamInVm(
    [...command, ...choice],
    { stdout, stderr: process.stderr },
    { cwd: project, env: { TMPDIR: '/scratch' }, timeout: VM_TOTAL },
  );
  if (status !== 0) throw new Error(`runtime-tools: the VM's run ended with status ${status}`);
}

/** What is wrong with the results for runts, a line each. */
function complaints(place: Place, cells: Cells): string[] {
  return Object.entries(cells).flatMap(([program, byRuntime]) => {
    const { runts, ...others } = byRuntime;
    if (runts?.verdict !== 'fail') return [];
    const known: Known | undefined = KNOWN[program];
    if (known === undefined) return [`${program} (${place}): fails without an explanation: ${runts.reason}`];
    const passing = Object.keys(others).filter((name) => others[name]?.verdict === 'pass');
    if (passing.length === 0 || known.elsewhere !== undefined || known.cause === 'cgroup-v1') return [];
    return [`${program} (${place}): fails, and passes for ${passing.join(' and ')}: ${runts.reason}`];
  });
}

/** @returns the exit code */
export async function run(args: string[]): Promise<number> {
  const options = parse(args);
  const { suite, runtimes } = options;
  const reason = missing('unshare', 'mount', 'timeout', 'tar');
  if (reason !== false) throw new Error(`runtime-tools: ${reason}`);
  if (options.inside) {
    runHere(options, (result) => process.stdout.write(`${JSON.stringify(result)}\n`));
    return 0;
  }
  const place: Place = options.vm ? 'vm' : 'host';
  const cells: Record<string, Record<string, Outcome>> = {};
  const onResult = ({ program, runtime, outcome }: Result) => {
    cells[program] = { ...cells[program], [runtime]: outcome };
    const text = outcome.verdict === 'pass' ? '' : `: ${outcome.reason}`;
    process.stdout.write(`${outcome.verdict} ${program} ${runtime}${text}\n`);
  };
  if (options.vm) await runInside(options, onResult);
  else runHere(options, onResult);

  const name = `runtime-tools-${place}`;
  const merged = mergeCells(suite.programs, (readPart(name)?.data ?? {}) as Cells, cells);
  writePart({
    name,
    title: `OCI validation suite, ${place === 'vm' ? 'in the VM' : 'on a host'}`,
    counts: countsOf(place, merged),
    text: resultText(place, runtimes, merged),
    data: merged,
  });
  const wrong = complaints(place, cells);
  for (const line of wrong) process.stdout.write(`${line}\n`);
  for (const { what, cases, passes } of countsOf(place, cells)) {
    process.stdout.write(`${what}: ${passes} of ${cases} pass\n`);
  }
  return wrong.length > 0 ? 1 : 0;
}
