import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { manPages, markdownPages } from './reference.ts';
import { COMMANDS } from './tables/index.ts';

const DOCS = new URL('../../docs/commands/', import.meta.url);

test('docs/commands is what the tables say (npm run reference)', () => {
  for (const { file, text } of markdownPages()) {
    assert.equal(readFileSync(new URL(file, DOCS), 'utf8'), text, file);
  }
});

test('every command has a manual page with all its flags', () => {
  const pages = new Map(manPages('1.2.3').map(({ file, text }) => [file, text]));
  for (const { name, flags } of COMMANDS) {
    const text = pages.get(`runts-${name}.8`) ?? '';
    for (const flag of flags.filter(({ hidden }) => hidden !== true))
      assert.ok(text.includes(`\\-\\-${flag.name.replaceAll('-', '\\-')}`), `${name} --${flag.name}`);
  }
});
