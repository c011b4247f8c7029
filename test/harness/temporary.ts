/**
 * Folders that are gone when a test is over, and names that are unique.
 *
 * @module
 */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

/** In the name of every folder, container and cgroup that the tests of a file make; inside of a world as outside. */
export const TOKEN: string =
  process.env.RUNTS_TEST_TOKEN ?? `rt${Math.random().toString(36).slice(2, 8).padEnd(6, '0')}`;

let count = 0;

/** A container id that nobody else uses. */
export function uniqueId(name = 'box'): string {
  return `${TOKEN}-${name}-${count++}`;
}

/** What is to be undone at the end of each test, in the order in which it is done. */
const ENDINGS = { containers: 0, files: 1 } as const;
const endings = new WeakMap<TestContext, (() => void | Promise<void>)[][]>();

/**
 * Has something done when the test is over: first what ends containers, then what removes files, the latest first. All of
 * it is done, also when some of it fails; the first failure is the test's.
 */
export function atEnd(t: TestContext, what: keyof typeof ENDINGS, action: () => void | Promise<void>): void {
  let lists = endings.get(t);
  if (lists === undefined) {
    const made: (() => void | Promise<void>)[][] = [[], []];
    lists = made;
    endings.set(t, made);
    t.after(async () => {
      const failures: unknown[] = [];
      for (const list of made) {
        for (const end of list.reverse()) {
          try {
            await end();
          } catch (error) {
            failures.push(error);
          }
        }
      }
      if (failures.length > 0) throw failures[0];
    });
  }
  lists[ENDINGS[what]]!.push(action);
}

/** An empty folder, removed when the test is over; without a test, when the process exits. */
export function temporaryFolder(t?: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), `${TOKEN}-`));
  const remove = (): void => removeTree(folder);
  if (t === undefined) process.on('exit', remove);
  else atEnd(t, 'files', remove);
  return folder;
}

/** Where something is mounted, of this process's mount namespace; proc_pid_mountinfo(5). */
export function mountPoints(): string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .flatMap((line) => line.split(' ')[4] ?? [])
    .map((path) =>
      path.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))),
    );
}

/**
 * Removes a folder and what is in it, but never what a runtime has left mounted in it: that may be the host's files.
 *
 * @throws Error when something is still mounted there
 */
export function removeTree(folder: string): void {
  const inside = (): string[] =>
    mountPoints().filter((path) => path === folder || path.startsWith(`${folder}/`));
  for (const path of inside().reverse()) spawnSync('umount', ['--lazy', path]);
  const left = inside();
  if (left.length > 0) throw new Error(`not removed, because something is mounted there: ${left.join(', ')}`);
  rmSync(folder, { recursive: true, force: true });
}
