import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { missingForVm, runInVm, TIMED_OUT } from './vm.ts';

const skip = missingForVm() ?? false;

test('the VM has a pure cgroup v2 with every controller', { skip }, async () => {
  const script = 'stat -fc %T /sys/fs/cgroup; cat /sys/fs/cgroup/cgroup.subtree_control';
  const { status, stdout } = await runInVm(['sh', '-c', script]);
  const [type, controllers = ''] = stdout.split('\n');
  assert.equal(status, 0);
  assert.equal(type, 'cgroup2fs');
  for (const name of ['cpuset', 'cpu', 'io', 'memory', 'hugetlb', 'pids']) {
    assert.ok(controllers.split(' ').includes(name), name);
  }
});

test('status, both outputs, environment and folder of a command pass the VM', { skip }, async () => {
  const script = 'pwd; echo "$COLOUR"; echo wrong >&2; exit 7';
  const result = await runInVm(['sh', '-c', script], { cwd: '/usr', env: { COLOUR: 'dark red' } });
  assert.deepEqual(result, { status: 7, stdout: '/usr\ndark red\n', stderr: 'wrong\n' });
});

test('a signal and a command that is not there have their customary statuses', { skip }, async () => {
  assert.equal((await runInVm(['sh', '-c', 'kill -9 $$'])).status, 137);
  assert.equal((await runInVm(['/no/such/program'])).status, 127);
});

test('a command that takes too long is ended with its machine', { skip }, async () => {
  assert.equal((await runInVm(['sleep', '1000'], { timeout: 1 })).status, TIMED_OUT);
});

test('output is complete and in order', { skip }, async () => {
  const { stdout } = await runInVm(['seq', '200000']);
  assert.equal(stdout.length, 1_288_895);
  assert.equal(stdout.trimEnd().split('\n').at(-1), '200000');
});

test('what is written vanishes, but for a shared folder', { skip }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'vm-test-'));
  const shared = mkdtempSync(join(tmpdir(), 'vm-test-'));
  try {
    writeFileSync(join(folder, 'note'), 'before');
    const script = 'echo after > "$1/note"; echo after > "$2/note"; cat "$1/note"';
    const { stdout } = await runInVm(['sh', '-c', script, 'sh', folder, shared], { shares: [shared] });
    assert.equal(stdout, 'after\n');
    assert.equal(readFileSync(join(folder, 'note'), 'utf8'), 'before');
    assert.equal(readFileSync(join(shared, 'note'), 'utf8'), 'after\n');
  } finally {
    rmSync(folder, { recursive: true });
    rmSync(shared, { recursive: true });
  }
});

test('two machines of one snapshot draw different random numbers and know the time', { skip }, async () => {
  const script = 'od -An -tx1 -N16 /dev/urandom; date +%s';
  const first = (await runInVm(['sh', '-c', script])).stdout.trim().split('\n');
  const second = (await runInVm(['sh', '-c', script])).stdout.trim().split('\n');
  assert.notEqual(first[0], second[0]);
  assert.ok(Math.abs(Number(second[1]) - Date.now() / 1000) < 60);
});

test('systemd runs the command as a unit', { skip }, async () => {
  const script = 'cat /proc/1/comm; systemctl is-system-running';
  const { stdout } = await runInVm(['sh', '-c', script], { systemd: true });
  assert.equal(stdout, 'systemd\nrunning\n');
});
