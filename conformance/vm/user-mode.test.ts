import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { missingForVm, runInVm, TIMED_OUT } from './vm.ts';

const skip = missingForVm() ?? (process.getuid?.() !== 0 && 'user-mode Linux in namespaces needs root');

test('user-mode Linux: status, outputs, environment, folders and limits', { skip }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'vm-test-'));
  const shared = mkdtempSync(join(tmpdir(), 'vm-test-'));
  try {
    writeFileSync(join(folder, 'note'), 'before');
    const script = `
      cat /sys/fs/cgroup/cgroup.subtree_control; pwd; echo "$COLOUR"; stat -fc %T /scratch
      echo after > "$1/note"; echo after > "$2/note"; cat "$1/note"; seq 100000; echo wrong >&2; exit 7`;
    const { status, stdout, stderr } = await runInVm(['sh', '-c', script, 'sh', folder, shared], {
      userMode: true,
      cwd: '/usr',
      env: { COLOUR: 'dark red' },
      shares: [shared],
    });
    const [controllers, ...lines] = stdout.trimEnd().split('\n');
    assert.equal(controllers, 'cpu io memory pids');
    assert.deepEqual(lines.slice(0, 4), ['/usr', 'dark red', 'ext2/ext3', 'after']);
    assert.deepEqual([lines.length, lines.pop()], [100_004, '100000']);
    assert.deepEqual([status, stderr], [7, 'wrong\n']);
    assert.equal(readFileSync(join(folder, 'note'), 'utf8'), 'before');
    assert.equal(readFileSync(join(shared, 'note'), 'utf8'), 'after\n');
  } finally {
    rmSync(folder, { recursive: true });
    rmSync(shared, { recursive: true });
  }
});

test('user-mode Linux: a command that takes too long is ended with its machine', { skip }, async () => {
  const { status } = await runInVm(['sleep', '1000'], { userMode: true, timeout: 1 });
  assert.equal(status, TIMED_OUT);
});

test('user-mode Linux: systemd', { skip }, async () => {
  const argv = ['sh', '-c', 'cat /proc/1/comm; systemctl show --property=LoadState vm.target'];
  const { stdout } = await runInVm(argv, { userMode: true, systemd: true });
  assert.equal(stdout, 'systemd\nLoadState=loaded\n');
});
