/**
 * `npm run conformance -- arm64 [--only CASE]...`: containers on an arm64 kernel, in emulation.
 *
 * @module
 */
import { parseArgs } from 'node:util';
import { install, missingPackages } from '../engines/options.ts';
import { reasonOf } from '../engines/report.ts';
import { table, writePart } from '../results.ts';
import { buildForArm64 } from './build.ts';
import { CASES, type Case } from './cases.ts';
import { arm64Files } from './packages.ts';
import { missingForArm64, PROGRAMS, type Result, runCases } from './run.ts';

/** What is wrong with a result, in one line; nothing when it is as it should be. */
function complaint({ check }: Case, { output, status }: Result): string {
  try {
    check(output, status);
    return '';
  } catch (error) {
    return reasonOf(error);
  }
}

/** Runs the part. @returns the exit code */
export async function run(args: string[]): Promise<number> {
  const { values } = parseArgs({ args, options: { only: { type: 'string', multiple: true } } });
  const cases = CASES.filter(({ name }) => values.only?.some((start) => name.startsWith(start)) ?? true);
  if (cases.length === 0) throw new Error(`arm64: no such case: ${values.only?.join(', ')}`);
  const packages = missingPackages(PROGRAMS).flatMap((names) => names.split(' '));
  if (process.arch === 'x64' && process.geteuid?.() === 0 && packages.length > 0) install(packages);
  const missing = missingForArm64();
  if (missing !== undefined) throw new Error(missing);
  const rows: [name: string, verdict: string, why: string][] = [];
  const record = (one: Case, result: Result) => {
    const why = complaint(one, result);
    rows.push([one.name, why === '' ? 'pass' : 'fail', why]);
    process.stdout.write(`${why === '' ? 'pass' : 'fail'} ${one.name}${why && `: ${why}`}\n`);
  };
  await runCases({ binary: await buildForArm64(), files: await arm64Files() }, record, cases);
  const passes = rows.filter(([, verdict]) => verdict === 'pass').length;
  process.stdout.write(`arm64: ${passes} of ${rows.length} pass\n`);
  if (values.only === undefined) {
    writePart({
      name: 'arm64',
      title: 'arm64, in emulation',
      counts: [{ what: 'arm64, in emulation: runts', cases: rows.length, passes }],
      text: `The binary that x86-64 builds for arm64, on Debian's kernel for arm64.\n\n${table(['case', 'runts', 'why'], rows)}`,
    });
  }
  return passes === rows.length ? 0 : 1;
}
