/**
 * `npm run conformance`: the requirements of runtime-spec 1.3.0 that bind a runtime on Linux, and the tests that prove
 * them. Fails on one without a test, and on a test that isn't there.
 *
 * `--missing` prints only what lacks a test, `--all` every requirement.
 *
 * @module
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { table, writePart } from '../results.ts';
import type { Requirement } from './requirement.ts';
import { CGROUPS } from './requirements/cgroups.ts';
import { CONFIG } from './requirements/config.ts';
import { LINUX } from './requirements/linux.ts';
import { MOUNTS } from './requirements/mounts.ts';
import { RUNTIME } from './requirements/runtime.ts';

const project = join(import.meta.dirname, '../..');

/** Everything, in the order of the documents. */
export const REQUIREMENTS: readonly Requirement[] = [...RUNTIME, ...CONFIG, ...MOUNTS, ...LINUX, ...CGROUPS];

const sources = new Map<string, string>();

function sourceOf(file: string): string {
  let text = sources.get(file);
  if (text === undefined) {
    const path = join(project, file);
    text = existsSync(path) ? readFileSync(path, 'utf8') : '';
    sources.set(file, text);
  }
  return text;
}

/** Whether the test stands in its file, under that name; "*" is an interpolation of a template. */
export function testExists(test: string): boolean {
  const at = test.indexOf(': ');
  const name = test.slice(at + 2);
  const source = sourceOf(test.slice(0, at));
  if (name.includes('*')) {
    const parts = name.split('*').map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'));
    return new RegExp(`\`${parts.join('\\$\\{[^`]*\\}')}\``).test(source);
  }
  const written = [`'${name.replaceAll("'", "\\'")}'`, `"${name}"`, `\`${name}\``];
  return written.some((text) => source.includes(text));
}

/** Why a requirement isn't proved; undefined when it is, or needs no proof. */
export function problemOf({ exempt, tests }: Requirement): string | undefined {
  if (exempt !== undefined) return undefined;
  if (tests.length === 0) return 'no test';
  const absent = tests.filter((test) => !testExists(test));
  return absent.length === 0 ? undefined : `no such test: ${absent.join('; ')}`;
}

function line({ level, section, text }: Requirement): string {
  return `${section}: ${level} ${text}`;
}

/** @returns the exit code */
export function run(args: readonly string[]): number {
  const exempt = REQUIREMENTS.filter((requirement) => requirement.exempt !== undefined);
  const unproved = REQUIREMENTS.filter((requirement) => problemOf(requirement) !== undefined);
  const cases = REQUIREMENTS.length;
  const passes = cases - exempt.length - unproved.length;
  if (args.includes('--all')) {
    for (const requirement of REQUIREMENTS) {
      const proof = problemOf(requirement) ?? requirement.exempt ?? requirement.tests.join('; ');
      process.stdout.write(`${line(requirement)}\n    ${proof}\n`);
    }
  } else {
    for (const requirement of unproved) {
      process.stdout.write(`${line(requirement)}\n    ${problemOf(requirement)}\n`);
    }
  }
  const sections = [...new Set(REQUIREMENTS.map(({ section }) => section))];
  const rows = sections.map((section) => {
    const own = REQUIREMENTS.filter((requirement) => requirement.section === section);
    const count = (some: readonly Requirement[]) => String(own.filter((one) => some.includes(one)).length);
    return [section, String(own.length), count(exempt), count(unproved)];
  });
  const reasons = exempt.map((requirement) => `- ${line(requirement)}: ${requirement.exempt}`);
  writePart({
    name: 'specification',
    title: 'Requirements of runtime-spec 1.3.0',
    counts: [{ what: 'requirements with a test', cases, passes, skips: exempt.length }],
    text: [
      table(['section', 'requirements', 'need no test', 'lack a test'], rows),
      `Need no test:\n\n${reasons.join('\n')}`,
    ].join('\n\n'),
  });
  process.stdout.write(
    `${passes} of ${cases} requirements have a test, ${exempt.length} need none, ${unproved.length} lack one\n`,
  );
  return unproved.length > 0 ? 1 : 0;
}
