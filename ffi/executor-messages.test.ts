import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EXIT, MESSAGE } from './abi.ts';
import { ERRNO } from './constants/index.ts';
import { addressOf, Program, valueIn } from './program.ts';
import { emulated, native, type Result, runProgram } from './testing/harness.ts';

const NOT_OPEN = 1_000_000;

for (const runner of [native, emulated()]) {
  if (typeof runner === 'string') {
    test('the executor of the other machine', { skip: runner }, () => {});
    continue;
  }
  const on = runner.machine;

  /** Runs what `build` appends, then exits with 7. */
  const run = (build: (program: Program) => void, options?: Parameters<typeof runProgram>[2]): Result => {
    const program = new Program();
    build(program);
    program.call('exit_group', [7]);
    return runProgram(runner, program, options);
  };
  const notes = (result: Result) =>
    result.messages.map((message) => (message.type === 'note' ? [message.tag, message.value] : message));

  test(`${on}: fail reports the last failure that led elsewhere, with a text`, () => {
    const result = run((program) => {
      const failed = program.label('failed');
      const later = program.label('later');
      program.call('close', [NOT_OPEN], { tolerate: ['EBADF'], goto: failed });
      program.place(failed);
      // Led to the next operation, so it isn't remembered.
      program.call('chdir', ['/nonesuch'], { tolerate: ['ENOENT'], goto: later });
      program.notify(1);
      program.place(later);
      program.call('umask', [0]);
      program.fail('cannot enter the grüne folder');
    });
    assert.deepEqual(result.messages, [
      { type: 'fail', index: 1, errno: ERRNO.ENOENT, text: 'cannot enter the grüne folder' },
    ]);
    assert.equal(result.status, EXIT.FAILED);
  });

  test(`${on}: fail without a failure reports itself and its own errno`, () => {
    const result = run((program) => {
      program.call('close', [NOT_OPEN], { tolerate: 'any' });
      program.fail('nothing', 4, ERRNO.ELOOP);
    });
    assert.deepEqual(result.messages, [{ type: 'fail', index: 1, errno: ERRNO.ELOOP, text: 'noth' }]);
  });

  test(`${on}: fail with an errno reports itself, whatever is remembered`, () => {
    const result = run((program) => {
      const elsewhere = program.label('elsewhere');
      program.call('chdir', ['/nonesuch'], { tolerate: ['ENOENT'], goto: elsewhere });
      program.notify(1);
      program.place(elsewhere);
      program.fail(null, 0, ERRNO.EISDIR);
    });
    assert.deepEqual(result.messages, [{ type: 'fail', index: 2, errno: ERRNO.EISDIR, text: '' }]);
  });

  test(`${on}: notify takes its text from the tape or a cell, cut at the limit; a negative length is none`, () => {
    const result = run(
      (program) => {
        const buffer = program.cell('buffer', 600);
        const length = program.cell('length');
        program.call('read', [0, addressOf(buffer), 600], { store: length });
        program.notify(1, 10, 'from the tape');
        program.notify(2, 20, 'cut off', 3);
        program.notify(3, 30, addressOf(buffer), valueIn(length));
        program.notify(4, 40, addressOf(buffer), -5);
        program.notify(5, 50, null, 0);
        program.notify(6, 60, 'x'.repeat(600));
      },
      { input: 'y'.repeat(600) },
    );
    assert.deepEqual(
      result.messages.map((message) =>
        message.type === 'note' ? [message.tag, message.value, message.text] : [],
      ),
      [
        [1, 10, 'from the tape'],
        [2, 20, 'cut'],
        [3, 30, 'y'.repeat(MESSAGE.TEXT_LIMIT)],
        [4, 40, ''],
        [5, 50, ''],
        [6, 60, 'x'.repeat(MESSAGE.TEXT_LIMIT)],
      ],
    );
  });

  test(`${on}: reportTo moves all later messages`, () => {
    const result = run((program) => {
      const fd = program.cell('fd');
      const far = program.label('far');
      program.notify(1);
      program.call('fcntl', [3, 1030, 50], { store: fd });
      program.call('close', [3]);
      program.reportTo(valueIn(fd));
      program.notify(2);
      program.call('chdir', ['/nonesuch'], { tolerate: ['ENOENT'], goto: far });
      program.notify(3);
      program.place(far);
      program.fail();
    });
    assert.deepEqual(notes(result), [
      [1, 0],
      [2, 0],
      { type: 'fail', index: 5, errno: ERRNO.ENOENT, text: '' },
    ]);
  });

  test(`${on}: a message that can't be written ends it`, () => {
    const result = run(
      (program) => {
        program.notify(1);
        program.call('write', [1, 'reached', 7]);
      },
      { reportFd: NOT_OPEN },
    );
    assert.deepEqual([result.status, result.stdout.toString()], [EXIT.FAILED, '']);
  });
}
