import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { RuntsError } from '../errors.ts';
import type { Process } from '../spec/types.ts';
import { execProcess, userOf } from './exec-process.ts';
import { fakeState, temporaryDirectory } from './fixture.ts';

const OWN = { uid: 7, gid: 8, additionalGids: [9] };
const id = fc.nat({ max: 0xfffffffe });

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
      const inRange = text.split(':').every((part) => Number(part) <= 0xfffffffe);
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

test('(uid_t) -1, which leaves a process root, is no id', () => {
  for (const text of ['4294967295', '0:4294967295', '4294967296'])
    assert.throws(() => userOf(OWN, text, []), /is no id/);
  assert.throws(() => userOf(OWN, undefined, ['4294967295']), /is no id/);
});

test('variables and working directories that are none', () => {
  const state = fakeState('/nowhere', 'c');
  const given = (flags: object) => () =>
    execProcess({ flags, operands: ['c', 'id'], global: {} } as never, state, ['id']);
  for (const env of ['A', '=A', '']) assert.throws(given({ env: [env] }), /--env: .* is no NAME=VALUE/);
  assert.throws(given({ cwd: 'rel' }), /--cwd: "rel": Cwd must be an absolute path/);
  assert.deepEqual(given({ env: ['A=', 'B=c=d'] })().env?.slice(-2), ['A=', 'B=c=d']);
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

test('a process file that says nothing of rights has the container’s; all else is its own', (t) => {
  const file = `${temporaryDirectory(t)}/process.json`;
  const read = (process: object): Process => {
    writeFileSync(file, JSON.stringify({ args: ['id'], cwd: '/', ...process }));
    return execProcess({ flags: { process: file }, operands: ['c'], global: {} } as never, state, []);
  };
  const rights: Partial<Process> = {
    capabilities: { bounding: ['CAP_KILL'] },
    apparmorProfile: 'box',
    selinuxLabel: 'u:r:t:s0',
    oomScoreAdj: 5,
    scheduler: { policy: 'SCHED_BATCH' },
    ioPriority: { class: 'IOPRIO_CLASS_BE', priority: 3 },
    execCPUAffinity: { initial: '0' },
  };
  const state = fakeState('/nowhere', 'c', {
    process: {
      ...rights,
      args: ['sh'],
      cwd: '/tmp',
      env: ['A=b'],
      user: { uid: 1, gid: 2 },
      noNewPrivileges: true,
      rlimits: [{ type: 'RLIMIT_CORE', hard: 1, soft: 1 }],
    },
  });
  assert.deepEqual(read({}), { args: ['id'], cwd: '/', ...rights });
  assert.deepEqual(read({ apparmorProfile: '', selinuxLabel: '' }), { args: ['id'], cwd: '/', ...rights });
  const other: Partial<Process> = { capabilities: {}, apparmorProfile: 'unconfined', oomScoreAdj: 0 };
  assert.deepEqual(read(other), { args: ['id'], cwd: '/', ...rights, ...other });
});
