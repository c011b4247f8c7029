import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RuntsError } from '../errors.ts';
import { execProcess, userOf } from './exec-process.ts';
import { fakeState } from './fixture.ts';

const OWN = { uid: 7, gid: 8, additionalGids: [9] };
const id = fc.nat({ max: 0xffffffff });

test('every pair of ids is read as it is written', () => {
  fc.assert(
    fc.property(id, id, (uid, gid) => {
      assert.deepEqual(userOf(OWN, `${uid}:${gid}`, []), { ...OWN, uid, gid });
      assert.deepEqual(userOf(OWN, `${uid}`, []), { ...OWN, uid });
      assert.deepEqual(userOf(OWN, undefined, [`${gid}`]), { ...OWN, additionalGids: [9, gid] });
    }),
  );
});

test('whatever is no plain decimal id is refused: it is never taken for root', () => {
  const valid = /^(0|[0-9]{1,10})(:[0-9]{1,10})?$/;
  const texts = fc.oneof(
    fc.string({ minLength: 1 }),
    fc.string({ unit: fc.constantFrom(...'0123456789:+-x eE._\n'), minLength: 1 }),
    fc
      .tuple(id, fc.constantFrom(' ', '\n', '\t', ':', '::', 'u', '.0', 'e0', '\0', '-', ':-1'), id)
      .map((t) => t.join('')),
  );
  fc.assert(
    fc.property(texts, (text) => {
      const inRange = text.split(':').every((part) => Number(part) <= 0xffffffff);
      if (valid.test(text) && inRange) {
        const [uid, gid] = text.split(':').map(Number);
        assert.deepEqual(userOf(OWN, text, []), { ...OWN, uid, gid: gid ?? OWN.gid });
      } else {
        assert.throws(
          () => userOf(OWN, text, []),
          (error) => error instanceof RuntsError && error.code === 'E_USAGE',
        );
      }
    }),
    { numRuns: 1000 },
  );
});

test('added capabilities are never inheritable or ambient', () => {
  const capabilities = { bounding: ['CAP_KILL'], inheritable: [], ambient: [] };
  const process = { args: ['sh'], cwd: '/', user: { uid: 0, gid: 0 }, capabilities } as const;
  const state = fakeState('/nowhere', 'c', { process: structuredClone(process) as never });
  const ctx = { flags: { cap: ['net_admin', 'CAP_KILL'] }, operands: ['c', 'id'], global: {} } as never;
  const { capabilities: given } = execProcess(ctx, state, ['id']);
  assert.deepEqual(given, {
    bounding: ['CAP_KILL', 'CAP_NET_ADMIN'],
    effective: ['CAP_NET_ADMIN', 'CAP_KILL'],
    permitted: ['CAP_NET_ADMIN', 'CAP_KILL'],
    inheritable: [],
    ambient: [],
  });
});
