import assert from 'node:assert/strict';
import { test } from 'node:test';
import { contextFor, lines } from './testing/context.ts';
import { offsetsText, planOpenOffsets, planTimeNamespace } from './time.ts';

test('the kernel’s text: a line for each clock', () => {
  assert.equal(
    offsetsText({ boottime: { secs: 100, nanosecs: 5 }, monotonic: { secs: -3 } }),
    'monotonic -3 0\nboottime 100 5\n',
  );
  assert.equal(offsetsText({ boottime: {} }), 'boottime 0 0\n');
  assert.equal(offsetsText({}), '');
  assert.equal(offsetsText({ monotonic: { secs: 9e18 } }), 'monotonic 9000000000000000000 0\n');
});

test('opened with the runtime’s rights, written once the namespace is there', () => {
  const ctx = contextFor();
  const offsets = { monotonic: { secs: 1 } };
  const file = planOpenOffsets(ctx, offsets);
  planTimeNamespace(ctx, 'linux.namespaces[3]', offsets, file);
  assert.deepEqual(lines(ctx.program), [
    '# linux.timeOffsets',
    'openat(AT_FDCWD, "/proc/self/timens_offsets", O_WRONLY|O_CLOEXEC) -> timeOffsets',
    '# linux.namespaces[3]',
    'unshare(CLONE_NEWTIME)',
    '# linux.timeOffsets',
    'write(timeOffsets, "monotonic 1 0\\n", 14)',
    'close(timeOffsets)',
  ]);
});

test('without offsets the clocks are the host’s', () => {
  for (const offsets of [undefined, {}]) {
    const ctx = contextFor();
    const file = planOpenOffsets(ctx, offsets);
    planTimeNamespace(ctx, 'linux.namespaces[0]', offsets, file);
    assert.deepEqual(lines(ctx.program).slice(1), ['unshare(CLONE_NEWTIME)']);
  }
});
