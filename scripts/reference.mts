/**
 * Writes docs/commands/ and, into dist/man/, the manual pages: both from the tables of the command line.
 *
 *     node --import tsx scripts/reference.mts [--check]
 */

import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { manPages, markdownPages, type Page } from '../src/cli/reference.ts';
import { VERSION } from '../src/version.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

function write(folder: string, pages: readonly Page[]): void {
  mkdirSync(folder, { recursive: true });
  const names = new Set(pages.map(({ file }) => file));
  for (const old of readdirSync(folder)) if (!names.has(old)) rmSync(`${folder}/${old}`);
  for (const { file, text } of pages) writeFileSync(`${folder}/${file}`, text);
}

/** The pages in docs/commands that are not what the tables say. */
function outdated(): string[] {
  return markdownPages()
    .filter(({ file, text }) => {
      try {
        return readFileSync(`${root}docs/commands/${file}`, 'utf8') !== text;
      } catch {
        return true;
      }
    })
    .map(({ file }) => file);
}

if (process.argv.includes('--check')) {
  const files = outdated();
  if (files.length > 0) {
    console.error(`docs/commands is out of date (npm run reference): ${files.join(', ')}`);
    process.exit(1);
  }
} else {
  write(`${root}docs/commands`, markdownPages());
  write(`${root}dist/man`, manPages(VERSION));
}
