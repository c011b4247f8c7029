import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, test } from 'node:test';
import { RuntsError } from './errors.ts';
import { configureLog, type LogOptions, log, logError, serviceOf } from './log.ts';

const folder = mkdtempSync(join(tmpdir(), 'runts-log-'));
after(() => rmSync(folder, { recursive: true }));

let file = '';
let count = 0;
beforeEach(() => {
  file = join(folder, String(++count));
});

const lines = () => readFileSync(file, 'utf8').split('\n').slice(0, -1);
const configure = (options: Partial<LogOptions>) =>
  configureLog({ log: file, logFormat: 'json', logLevel: 'error', ...options });

test('one JSON line with a time that containerd can parse, and the code', () => {
  configure({});
  log.warn('not at this level');
  log.warn(() => assert.fail('made in vain'));
  logError(new RuntsError('E_ID_EXISTS', 'two\nlines "quoted" \u2028 \x1b[2J', { hint: 'remedy' }));
  const [line, ...more] = lines();
  assert.deepEqual(more, []);
  const { time, ...rest } = JSON.parse(line as string);
  assert.match(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  assert.deepEqual(rest, {
    level: 'error',
    msg: 'two\nlines "quoted" \u2028 \x1b[2J (remedy)',
    code: 'E_ID_EXISTS',
  });
});

test('text as logrus writes it, on one line', () => {
  configure({ logFormat: 'text', logLevel: 'info' });
  log.debug('no');
  log.info('word');
  log.warn('two words');
  logError(new RuntsError('E_ROOT', 'a\nb\t"c" \\ \x1b[31m \u2028'));
  const plain = lines().map((line) => line.replace(/^time="[0-9T:Z-]+" /, ''));
  assert.deepEqual(plain, [
    'level=info msg=word',
    'level=warning msg="two words"',
    String.raw`level=error msg="a\nb\t\"c\" \\ \x1b[31m \u2028"`,
  ]);
});

test('the stack is a debug line', () => {
  configure({ logLevel: 'debug' });
  logError(new TypeError('oops'));
  const [debug, error] = lines().map((line) => JSON.parse(line));
  assert.match(debug.msg, /^TypeError: oops\n {4}at /);
  assert.equal(error.code, 'E_INTERNAL');
  assert.doesNotMatch(error.msg, /\n/);
});

test('the file is made at once, appended to, and may be written file:PATH', () => {
  configure({});
  assert.equal(statSync(file).mode & 0o777, 0o644 & ~process.umask());
  writeFileSync(file, 'before\n');
  configure({ log: `file:${file}`, logFormat: 'text', logLevel: 'info' });
  log.info('after');
  assert.equal(lines()[0], 'before');
  assert.match(lines()[1] as string, /msg=after$/);
});

test('a log that cannot be is told', () => {
  assert.throws(
    () => configure({ log: '/nowhere/log' }),
    /--log: open \/nowhere\/log: no such file or directory/,
  );
  assert.throws(() => configure({ log: folder }), /is a directory/);
});

test('a full disk loses the line, not the command', () => {
  configure({ log: '/dev/full', logLevel: 'info' });
  log.info('x');
});

test('a log service is told by its scheme', () => {
  assert.deepEqual(serviceOf('journald:web'), ['journald', 'web']);
  assert.deepEqual(serviceOf('syslog:'), ['syslog', '']);
  for (const file of [undefined, '', '/a/journald:x', 'journald', 'file:x'])
    assert.equal(serviceOf(file), undefined);
});
