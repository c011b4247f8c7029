import assert from 'node:assert/strict';
import { test } from 'node:test';
import { catchSignals, exitCodeOf, FORWARDED, forwardSignals } from './signals.ts';

test('exit codes are those of shells', () => {
  assert.equal(exitCodeOf({ code: 0 }), 0);
  assert.equal(exitCodeOf({ code: 255 }), 255);
  assert.equal(exitCodeOf({ signal: 9 }), 137);
  assert.equal(exitCodeOf({ signal: 15 }), 143);
});

test('what is forwarded, under Node', () => {
  const named = [1, 2, 3, 6, 10, 12, 14, 15, 18, 20, 24, 25, 26, 27, 29, 30];
  assert.deepEqual(FORWARDED, named);
});

test('signals are kept until it is known where they go, in their order', async () => {
  const caught = catchSignals();
  const seen: number[] = [];
  process.kill(process.pid, 'SIGUSR2');
  await new Promise((resolve) => setTimeout(resolve, 50));
  process.kill(process.pid, 'SIGHUP');
  await new Promise((resolve) => setTimeout(resolve, 50));
  caught.forwardTo((signal) => void seen.push(signal));
  assert.deepEqual(seen, [12, 1]);
  process.kill(process.pid, 'SIGALRM');
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.deepEqual(seen, [12, 1, 14]);
  caught.release();
  assert.equal(process.listenerCount('SIGUSR2'), 0);
});

test('a signal that can’t be forwarded is no failure', async () => {
  const stop = forwardSignals(() => {
    throw new Error('of the test');
  });
  process.kill(process.pid, 'SIGUSR2');
  await new Promise((resolve) => setTimeout(resolve, 50));
  stop();
});
