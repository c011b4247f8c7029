/**
 * An engine with one runtime in a private world or the VM: the program that works there, and how it gets there.
 *
 * @module
 */
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { TOKEN } from '../../test/harness/temporary.ts';
import { inWorld } from '../../test/harness/world.ts';
import { wholeLines } from '../vm/lines.ts';
import { type Engine, type Runtime, Skip } from './engine.ts';
import { makeImage } from './image.ts';
import { type Options, project } from './options.ts';
import { type Outcome, reasonOf } from './report.ts';
import { engineCommand } from './world.ts';

/** Seconds for all cases of one runtime in the VM. */
const VM_LIMIT = 2 * 3600;

/** What comes from inside, one JSON text a line. */
export interface Line {
  readonly case?: string;
  readonly outcome?: Outcome;
  /** Once, from the engine. */
  readonly version?: string;
}

/** In the world: all cases against one runtime. */
export async function runInside<Box>(engine: Engine<Box>, options: Options): Promise<void> {
  const { cases, runtimes, place, seconds } = options;
  const started = performance.now();
  const print = (line: Line) => process.stdout.write(`${JSON.stringify(line)}\n`);
  const folder = mkdtempSync('/run/engine-');
  process.env.TMPDIR = folder;
  const setting = { runtime: runtimes[0]!, place, image: makeImage(folder), folder, token: TOKEN };
  const box = await engine.open(setting);
  print({ version: engine.version(box) });
  for (const one of engine.cases.filter(({ name }) => cases.includes(name))) {
    const began = performance.now();
    if (began - started > seconds * 1000) break;
    let outcome: Outcome = { verdict: 'pass', reason: '' };
    try {
      await one.run(box);
    } catch (error) {
      outcome = { verdict: error instanceof Skip ? 'skip' : 'fail', reason: reasonOf(error) };
    }
    try {
      await engine.clear(box);
    } catch (error) {
      // What it leaves may well be the runtime's fault.
      if (outcome.verdict !== 'fail')
        outcome = { verdict: 'fail', reason: `cleaning up: ${reasonOf(error)}` };
    }
    const time = Math.round(performance.now() - began);
    process.stderr.write(`${outcome.verdict} ${runtimes[0]!.name}: ${one.name} (${time} ms)\n`);
    print({ case: one.name, outcome });
  }
  engine.close?.(box);
}

/** What runs in one world or VM. */
export type Part = Pick<Options, 'cases' | 'place' | 'seconds'>;

/**
 * Runs the cases in a world or the VM, with one runtime.
 *
 * @param progress - whether what the inside says on standard error is shown
 * @throws Error when the inside fails as a whole
 */
export async function runOutside(
  engine: Engine<unknown>,
  runtime: Runtime,
  { cases, place, seconds }: Part,
  onLine: (line: Line) => void,
  progress = true,
): Promise<void> {
  const program =
    place === 'vm'
      ? [await (await import('./bundle.ts')).bundle()]
      : ['--import', 'tsx', join(import.meta.dirname, '../main.ts')];
  const argv = [process.execPath, ...program, engine.name, '--inside'];
  argv.push('--runtimes', runtime.path, ...cases.flatMap((name) => ['--only', name]));
  if (seconds !== Infinity) argv.push('--seconds', String(seconds));
  const { NODE_EXTRA_CA_CERTS: _slow, ...env } = process.env;
  const read = wholeLines((line) => {
    // A program of the engine may write there too.
    if (line.startsWith('{')) onLine(JSON.parse(line) as Line);
  });
  let status: number | null;
  let said = '';
  if (place === 'host') {
    const result = inWorld({ cgroups: 'v2', network: true }, engineCommand(argv), {
      cwd: project,
      env,
      stdio: ['ignore', 'pipe', progress ? 'inherit' : 'pipe'],
    });
    read(result.stdout);
    status = result.status;
    said = result.stderr ?? '';
  } else {
    const { Writable } = await import('node:stream');
    const { streamInVm } = await import('../vm/vm.ts');
    const stdout = new Writable({
      write(chunk: Buffer, _encoding, done) {
        read(chunk.toString());
        done();
      },
    });
    const streams = { stdout, stderr: process.stderr };
    status = await streamInVm([...argv, '--vm'], streams, {
      cwd: project,
      timeout: VM_LIMIT,
      ...engine.vm,
    });
  }
  if (status !== 0) {
    throw new Error(`${engine.name} with ${runtime.name}: exit status ${status}\n${said.slice(-4000)}`);
  }
}
