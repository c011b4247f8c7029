/**
 * What a container sees of itself: a script runs in it, and its output comes back in named sections.
 *
 * @module
 */

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import {
  type Bundle,
  type CallOptions,
  type Result,
  type Runtime,
  session,
  type TestSpec,
  tempBundle,
} from '../harness/index.ts';

/** `test`, named after the runtime. `skip` is a world's. */
export function testsOf(
  runtime: Runtime,
  skip: string | false,
): (name: string, body: (t: TestContext) => void | Promise<void>) => void {
  return (name, body) => void test(`${runtime.name}: ${name}`, { skip }, body);
}

/** Text by section; a section begins with a line `@name`. */
export type Sections = Record<string, string>;

/** Splits output into its sections, without the line break at their ends. */
export function sectionsOf(text: string): Sections {
  const sections: Sections = {};
  for (const part of text.split(/^@/m).slice(1)) {
    const end = part.indexOf('\n');
    sections[part.slice(0, end)] = part.slice(end + 1).replace(/\n$/, '');
  }
  return sections;
}

/** A shell script that prints the output of each command as a section. Errors are part of the output. */
export function printing(commands: Record<string, string>): string {
  return Object.entries(commands)
    .map(([name, command]) => `echo @${name}; (${command}\n) 2>&1`)
    .join('\n');
}

export interface LookOptions extends CallOptions {
  config?: (spec: TestSpec) => void;
  /** Options of `run`. */
  flags?: readonly string[];
  /** A root file system of its own: for a container that writes to it. Gets it before the container runs. */
  own?: (rootfs: string) => void;
}

/** A bundle that runs a script, on the shared root file system unless `own` is given. */
export function scriptBundle(t: TestContext, script: string, options: LookOptions = {}): Bundle {
  const bundle = tempBundle(t, {
    args: ['sh', '-c', script],
    config: options.config,
    rootfs: options.own === undefined ? 'shared' : 'busybox',
  });
  options.own?.(bundle.rootfs);
  return bundle;
}

/** Runs commands in a container, however each of them ends, and gives what they printed. */
export function look(
  t: TestContext,
  runtime: Runtime,
  commands: Record<string, string>,
  options: LookOptions = {},
): Sections {
  const { code, stdout, stderr } = lookAt(t, runtime, `${printing(commands)}\nexit 0`, options);
  assert.deepEqual([code, stderr], [0, ''], stdout);
  return sectionsOf(stdout);
}

/** As {@link look}, for containers that may fail. */
export function lookAt(
  t: TestContext,
  runtime: Runtime,
  script: string,
  options: LookOptions = {},
): Result & { id: string; bundle: Bundle } {
  const bundle = scriptBundle(t, script, options);
  return { ...session(t, runtime).run(bundle, options), bundle };
}
