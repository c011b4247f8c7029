import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { criuFailure, errorLine } from './failure.ts';
import { REQUEST } from './messages.ts';

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'runts-criu-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

const LOG = `(00.000123) Version: 3.17.1 (gitid 0)
(00.010000) Warn  (criu/x.c:1): Error is a word here too late
(00.012345) Error (criu/sk-inet.c:188): inet: Connected TCP socket, consider using --tcp-established option.
(00.012400) ----------------------------------------
(00.013000) Error (criu/cr-dump.c:2053): Dumping FAILED.
`;

test('the line that tells the cause, without its time', () => {
  assert.equal(
    errorLine(LOG),
    'Error (criu/sk-inet.c:188): inet: Connected TCP socket, consider using --tcp-established option.',
  );
  // A restored process says who it is, and then its parent says that it is gone.
  assert.equal(
    errorLine(`(00.2)      7: Error (criu/files.c:1): no such file
(00.2)      7: Error (criu/files.c:1213): Unable to open fd=3 id=0x5
(00.3) Error (criu/cr-restore.c:1491): 7 exited, status=1
(00.3) Error (criu/cr-dump.c:1635): Dump files (pid: 7) failed with -1
`),
    'Error (criu/files.c:1): no such file',
  );
  assert.equal(errorLine('(00.1) all is well\n'), undefined);
  assert.equal(errorLine('Error (x.c:1): a\0\0\0'), 'Error (x.c:1): a...');
});

test('the log is quoted and named, and the flag that helps', (t) => {
  const folder = folderOf(t);
  const log = join(folder, 'dump.log');
  writeFileSync(log, LOG);
  const { message, details } = criuFailure({
    what: 'dump',
    response: { type: REQUEST.DUMP, success: false, crErrno: 52 },
    log,
    printed: '',
    imagePath: folder,
  });
  assert.match(message, /^criu failed to dump: Error .*Connected TCP socket.*; its log: .*\/dump\.log \(/);
  assert.match(message, /give --tcp-established\)$/);
  assert.equal(details.errno, 'EBADE');
});

test('without a log it is what CRIU said otherwise', (t) => {
  const folder = folderOf(t);
  const given = { what: 'restore', log: join(folder, 'restore.log'), printed: '' };
  const response = { type: REQUEST.RESTORE, success: false };
  assert.equal(criuFailure(given).message, 'criu failed to restore: it ended without an answer');
  assert.equal(criuFailure({ ...given, response }).message, 'criu failed to restore: it does not say why');
  assert.equal(
    criuFailure({ ...given, response: { ...response, crErrno: -28 } }).message,
    'criu failed to restore: no space left on device',
  );
  assert.match(
    criuFailure({ ...given, response: { ...response, crErrmsg: '(00.1) Error (a.c:1): why\n' } }).message,
    /^criu failed to restore: Error \(a\.c:1\): why$/,
  );
  assert.match(
    criuFailure({ ...given, printed: 'Error (criu/vdso.c:381): vdso: Unexpected rt vDSO area bounds\n' })
      .message,
    /vDSO area bounds \(.*update criu/,
  );
});

test('a folder that nothing can be written to is the cause', (t) => {
  const folder = folderOf(t);
  const gone = join(folder, 'gone');
  const { message } = criuFailure({
    what: 'dump',
    log: join(gone, 'dump.log'),
    printed: '',
    imagePath: gone,
  });
  assert.match(message, /^write .*gone: no such file or directory/);
});

test('what to do, by what the log says', (t) => {
  const folder = folderOf(t);
  const log = join(folder, 'dump.log');
  const hint = (line: string): string | undefined => {
    writeFileSync(log, `(00.1) Error (criu/x.c:1): ${line}\n`);
    return criuFailure({ what: 'dump', log, printed: '' }).details.hint;
  };
  assert.match(hint("Can't lookup mount=71 for fd=0 path=/dev/pts/0")!, /give --shell-job/);
  assert.match(hint("Can't lookup mount=71 for fd=7 path=/var/log/x")!, /^an open file is the host’s/);
  assert.match(hint('inet: In-flight connection (l) for 1c')!, /--tcp-skip-in-flight$/);
  assert.match(hint('net: Unsupported link 7 (type 1 kind dummy)')!, /--empty-ns network/);
  assert.equal(hint('nobody knows'), undefined);
});
