// @ts-check
/**
 * Build steps that are skipped while the content of their inputs stays the same.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { say } from './lib.mjs';

/**
 * The files below a folder whose path relative to it matches, sorted; none when there is no such folder.
 *
 * @param {string} folder absolute
 * @param {RegExp} pattern
 * @returns {string[]} absolute paths
 */
export function filesBelow(folder, pattern) {
  if (!existsSync(folder)) return [];
  return (
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      // `parentPath` came in Node 20.12; before, `path` was the same.
      .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
      .filter((file) => pattern.test(relative(folder, file)))
      .sort()
  );
}

/** @param {readonly string[]} files @param {unknown} settings */
function fingerprint(files, settings) {
  const hash = createHash('sha256').update(`${process.arch}\0${JSON.stringify(settings ?? null)}\0`);
  for (const file of files) {
    const content = statSync(file, { throwIfNoEntry: false })?.isFile()
      ? readFileSync(file)
      : Buffer.from('no file');
    hash.update(`${file}\0${content.length}\0`).update(content);
  }
  return hash.digest('hex');
}

/**
 * @typedef {object} Work
 * @property {readonly string[]} outputs what must exist afterwards
 * @property {() => unknown} run
 */

/**
 * Keeps, in one file, what each step was last made of.
 *
 * @param {string} record path of that file
 */
export function recordedSteps(record) {
  /** @returns {Record<string, string>} */
  const read = () => {
    try {
      return JSON.parse(readFileSync(record, 'utf8'));
    } catch {
      // Missing, or cut off by a full disk: everything is built.
      return {};
    }
  };
  /**
   * @param {string} name
   * @param {readonly string[]} inputs files
   * @param {Work} work
   * @param {unknown} [settings] anything else that the outputs depend on
   */
  return async (name, inputs, work, settings) => {
    const print = fingerprint(inputs, settings);
    if (read()[name] === print && work.outputs.every((file) => existsSync(file))) return;
    const began = performance.now();
    await work.run();
    mkdirSync(dirname(record), { recursive: true });
    // Read again: another build may run beside this one.
    writeFileSync(`${record}.${process.pid}`, JSON.stringify({ ...read(), [name]: print }, null, 2));
    renameSync(`${record}.${process.pid}`, record);
    say(`built ${name} (${((performance.now() - began) / 1000).toFixed(1)} s)`);
  };
}
