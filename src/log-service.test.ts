import assert from 'node:assert/strict';
import { test } from 'node:test';
import { journalEntry, syslogLine } from './log-service.ts';

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');

test('an entry of the journal', () => {
  assert.equal(
    text(journalEntry('web', 'error', 'it failed', 'E_INIT')),
    'PRIORITY=3\nSYSLOG_IDENTIFIER=web\nID=web\nRUNTS_CODE=E_INIT\nMESSAGE=it failed\n',
  );
});

test('a message of several lines can make no fields of its own', () => {
  assert.equal(
    text(journalEntry('web', 'warning', 'one\nPRIORITY=0')),
    'PRIORITY=4\nSYSLOG_IDENTIFIER=web\nID=web\nMESSAGE\n\x0e\0\0\0\0\0\0\0one\nPRIORITY=0\n',
  );
});

test('a line of syslog', () => {
  const line = text(syslogLine('web', 'warning', 'one\ntwo', 'E_INIT'));
  assert.match(line, /^<12>[A-Z][a-z]{2} [ 0-9][0-9] \d\d:\d\d:\d\d web\[\d+\]: E_INIT: one two$/);
});
