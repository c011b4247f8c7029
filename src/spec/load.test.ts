import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { seccompArgValue } from './integers.ts';
import { MAX_BYTES, parseJson } from './json-file.ts';
import { loadProcess, loadSpec, readConfig, requireProcess } from './load.ts';
import { dockerSpec, minimalSpec, smallSpec } from './samples.ts';
import { runtsError } from './testing.ts';

const folder = mkdtempSync(join(tmpdir(), 'runts-load-'));
after(() => rmSync(folder, { recursive: true, force: true }));

/** A bundle with this config.json. */
function bundle(config: string | Uint8Array): string {
  const dir = mkdtempSync(join(folder, 'b-'));
  writeFileSync(join(dir, 'config.json'), config);
  return dir;
}

const failing = (config: string | Uint8Array) => runtsError(() => loadSpec(bundle(config)));

test('loads a valid config', () => {
  assert.deepEqual(loadSpec(bundle(JSON.stringify(dockerSpec()))), dockerSpec());
  assert.deepEqual(loadSpec(bundle(`\n\t ${JSON.stringify(minimalSpec(), null, 2)}\r\n`)), minimalSpec());
});

test('null is absent', () => {
  const spec = loadSpec(
    bundle('{"ociVersion":"1.0.0","root":{"path":"r"},"annotations":null,"linux":{"sysctl":null}}'),
  );
  assert.deepEqual(spec, { ociVersion: '1.0.0', root: { path: 'r' }, linux: {} });
});

test('a duplicate key: the last one counts, as for Go', () => {
  assert.equal(
    loadSpec(bundle('{"ociVersion":"9","ociVersion":"1.0.0","root":{"path":"r"}}')).ociVersion,
    '1.0.0',
  );
});

test('a missing config.json', () => {
  const error = runtsError(() => loadSpec(join(folder, 'none')));
  assert.equal(error.code, 'E_CONFIG_MISSING');
  assert.match(error.message, /^JSON specification file config\.json not found \(/);
  assert.equal(runtsError(() => loadSpec(`${folder}\n\n`)).code, 'E_CONFIG_MISSING');
});

test('a config.json that is no file, or can not be read', () => {
  const dir = mkdtempSync(join(folder, 'd-'));
  mkdirSync(join(dir, 'config.json'));
  assert.match(runtsError(() => loadSpec(dir)).message, /^cannot read config\.json ".*": is a directory$/);

  const fifo = mkdtempSync(join(folder, 'd-'));
  execFileSync('mkfifo', [join(fifo, 'config.json')]);
  assert.match(runtsError(() => loadSpec(fifo)).message, /not a regular file/);

  const device = mkdtempSync(join(folder, 'd-'));
  symlinkSync('/dev/zero', join(device, 'config.json'));
  assert.match(runtsError(() => loadSpec(device)).message, /not a regular file/);

  const loop = mkdtempSync(join(folder, 'd-'));
  symlinkSync('config.json', join(loop, 'config.json'));
  const error = runtsError(() => loadSpec(loop));
  assert.deepEqual([error.code, error.details.errno], ['E_CONFIG_READ', 'ELOOP']);

  assert.equal(runtsError(() => loadSpec('/etc/passwd')).details.errno, 'ENOTDIR');
  assert.equal(runtsError(() => loadSpec(`/${'x'.repeat(4000)}`)).details.errno, 'ENAMETOOLONG');
  if (process.geteuid?.() !== 0) {
    const secret = bundle('{}');
    chmodSync(join(secret, 'config.json'), 0);
    assert.equal(runtsError(() => loadSpec(secret)).details.errno, 'EACCES');
  }
});

test('an empty config.json', () => {
  for (const text of ['', ' \n\t']) {
    const error = failing(text);
    assert.deepEqual([error.code, error.message], ['E_CONFIG_SYNTAX', 'config.json is empty']);
  }
});

test('a truncated config.json: every length has its error', () => {
  const text = JSON.stringify(smallSpec(), null, 1);
  for (let length = 1; length < text.length; length += 7) {
    const error = runtsError(() => parseJson(Buffer.from(text.slice(0, length)), 'config.json'));
    assert.equal(error.code, 'E_CONFIG_SYNTAX');
    assert.match(error.message, /^config\.json, line \d+, column \d+: .*end of file/);
  }
});

test('a syntax error gives line, column and an excerpt', () => {
  assert.equal(
    failing('{\n  "ociVersion": "1.0.0",\n  "root": {"path": "rootfs",}\n}').message,
    "config.json, line 3, column 29: expected a property name in double quotes, found '}', " +
      'near: ..., "root": {"path": "rootfs",^} }',
  );
});

test('a config.json that is not UTF-8', () => {
  const latin1 = failing(Buffer.from('{\n "a": "caf\xe9"}', 'latin1'));
  assert.equal(latin1.code, 'E_CONFIG_SYNTAX');
  assert.equal(latin1.message, 'config.json is not UTF-8: byte 0xe9 at line 2, column 11 (JSON is UTF-8)');
  assert.match(
    failing(Buffer.from('\ufeff{}', 'utf16le')).message,
    /byte 0xff at line 1, column 1 \(it looks like UTF-16/,
  );
  assert.match(
    failing(Buffer.from('\ufeff{}')).message,
    /begins with a byte order mark \(save it as UTF-8 without BOM\)/,
  );
  assert.match(failing(Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22])).message, /not UTF-8/);
  // U+FFFD itself is a character like others.
  const spec = { ...smallSpec(), annotations: { k: '\ufffd\u00e9\u{1f600}' } };
  assert.deepEqual(loadSpec(bundle(JSON.stringify(spec))), spec);
});

test('size', () => {
  const large = { ...smallSpec(), annotations: { k: 'x'.repeat(10 * 1024 * 1024) } };
  assert.equal(loadSpec(bundle(JSON.stringify(large))).annotations?.k?.length, 10 * 1024 * 1024);
  const env = { ...smallSpec(), process: { cwd: '/', args: ['x'], env: Array(20_000).fill(5) } };
  assert.match(
    failing(JSON.stringify(env)).message,
    /\(20000 errors\): process\.env\[0\]: .*; and 19980 more$/,
  );
  assert.match(
    failing('x'.repeat(10 * 1024 * 1024)).message,
    /^config\.json, line 1, column 1: expected a value/,
  );
  const dir = bundle('{}');
  truncateSync(join(dir, 'config.json'), MAX_BYTES + 1);
  const error = runtsError(() => loadSpec(dir));
  assert.equal(error.code, 'E_CONFIG_READ');
  assert.match(error.message, /^config\.json is larger than 16777216 bytes: "/);
});

test('nesting', () => {
  const nested = (open: string, close: string, depth: number) =>
    `{"ociVersion":"1.0.0","root":{"path":"r"},"x":${open.repeat(depth)}1${close.repeat(depth)}}`;
  for (const depth of [1001, 5_000, 100_000]) {
    for (const text of [nested('[', ']', depth), nested('{"a":', '}', depth)]) {
      const error = failing(text);
      assert.equal(error.code, 'E_CONFIG_SYNTAX');
      assert.match(error.message, /^config\.json is nested too deeply/);
    }
    // Also one that does not end: it is not parsed.
    assert.match(failing(nested('[', '', depth)).message, /nested too deeply/);
  }
  assert.equal(loadSpec(bundle(nested('[', ']', 900))).ociVersion, '1.0.0');
  // Many brackets, not deep.
  assert.equal(loadSpec(bundle(nested('[[],', ']', 990))).ociVersion, '1.0.0');
  const wide = { ...smallSpec(), x: Array.from({ length: 5000 }, () => ({})) };
  assert.equal(loadSpec(bundle(JSON.stringify(wide))).hostname, 'small');
});

test('NUL', () => {
  const error = failing(JSON.stringify({ ...smallSpec(), hostname: 'a\0b' }));
  assert.match(
    error.message,
    /^config\.json is invalid: hostname: expected a string without NUL \(\\u0000\), found "a\\u0000b"$/,
  );
});

test('an invalid config: one error of one line with the code and the field', () => {
  const error = failing(JSON.stringify({ ...smallSpec(), hostname: 5 }));
  assert.deepEqual([error.code, error.details.field], ['E_CONFIG_INVALID', 'hostname']);
  assert.equal(readConfig(bundle('[]')).violations.length, 1);
});

test('the process is required only to start', () => {
  assert.match(
    runtsError(() => requireProcess(minimalSpec())).message,
    /^process property must not be empty$/,
  );
  assert.equal(requireProcess(smallSpec()).cwd, '/');
});

test('a process file', () => {
  const file = join(bundle(JSON.stringify(smallSpec().process)), 'config.json');
  assert.deepEqual(loadProcess(file), smallSpec().process);
  writeFileSync(file, '{"cwd":"x","args":[]}');
  assert.equal(
    runtsError(() => loadProcess(file)).message,
    'process file is invalid (2 errors): args: args must not be empty; cwd: Cwd must be an absolute path',
  );
  assert.match(runtsError(() => loadProcess(`${file}x`)).message, /^process file not found: "/);
});

test('seccomp values keep all their digits', () => {
  const args = (value: string, valueTwo: string) =>
    JSON.stringify({
      ...smallSpec(),
      annotations: { '"12345678901234567890"': '\\"12345678901234567890' },
      linux: {
        seccomp: {
          defaultAction: 'SCMP_ACT_ALLOW',
          syscalls: [
            { names: ['a'], action: 'SCMP_ACT_LOG' },
            {
              names: ['b'],
              action: 'SCMP_ACT_LOG',
              args: [{ index: 0, op: 'SCMP_CMP_MASKED_EQ', value: '@1', valueTwo: '@2' }],
            },
          ],
        },
      },
      hostname: '',
    })
      .replace('"@1"', value)
      .replace('"@2"', valueTwo);
  const values = (value: string, valueTwo: string) => {
    const arg = loadSpec(bundle(args(value, valueTwo))).linux?.seccomp?.syscalls?.[1]?.args?.[0];
    assert.ok(arg, 'the argument');
    return [seccompArgValue(arg, 'value'), seccompArgValue(arg, 'valueTwo')];
  };
  assert.deepEqual(values('1', '0'), [1n, 0n]);
  assert.deepEqual(values('18446744073709551613', '9007199254740993'), [
    18446744073709551613n,
    9007199254740993n,
  ]);
  assert.deepEqual(values('18446744073709551615', '2114060288'), [18446744073709551615n, 2114060288n]);
});
