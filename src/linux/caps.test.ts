import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  capabilityName,
  capabilityNames,
  capabilityNumber,
  hasCapability,
  LAST_KNOWN_CAPABILITY,
  parseCapabilities,
  parseLastCapability,
} from './caps.ts';

test('names and numbers', () => {
  assert.equal(capabilityNumber('CAP_CHOWN'), 0);
  assert.equal(capabilityNumber('CAP_CHECKPOINT_RESTORE'), 40);
  for (const name of ['CHOWN', 'cap_chown', 'CAP_', '', 'CAP_NOTHING', 'CAP_toString', 'CAP_CAP_CHOWN']) {
    assert.equal(capabilityNumber(name), undefined, name);
  }
  assert.equal(capabilityName(21), 'CAP_SYS_ADMIN');
  assert.equal(capabilityName(63), 'CAP_63');
  assert.equal(LAST_KNOWN_CAPABILITY, 40);
  assert.deepEqual(capabilityNames(2), ['CAP_CHOWN', 'CAP_DAC_OVERRIDE', 'CAP_DAC_READ_SEARCH']);
  assert.deepEqual(
    capabilityNames().map(capabilityNumber),
    Array.from({ length: 41 }, (_, i) => i),
  );
});

test('sets', () => {
  assert.deepEqual(parseCapabilities(undefined), { mask: { low: 0, high: 0 }, unknown: [] });
  const names = ['CAP_CHOWN', 'CAP_SETFCAP', 'CAP_MAC_OVERRIDE', 'CAP_BPF', 'CAP_CHOWN'];
  const { mask, unknown } = parseCapabilities(names);
  assert.deepEqual(mask, { low: 0x80000001, high: 0x81 });
  assert.deepEqual(unknown, []);
  const has = Array.from({ length: 64 }, (_, n) => n).filter((n) => hasCapability(mask, n));
  assert.deepEqual(has, [0, 31, 32, 39]);
  assert.deepEqual(parseCapabilities(capabilityNames()).mask, { low: 0xffffffff, high: 0x1ff });
});

test('what the kernel does not have is unknown', () => {
  assert.deepEqual(parseCapabilities(['CAP_KILL', 'CAP_NOPE', 'CAP_BPF'], 37), {
    mask: { low: 0x20, high: 0 },
    unknown: ['CAP_NOPE', 'CAP_BPF'],
  });
});

test('the last capability of the kernel', () => {
  assert.equal(parseLastCapability('40\n'), 40);
  assert.equal(parseLastCapability('37'), 37);
  for (const text of ['', 'x', '-1', '64', '400']) assert.equal(parseLastCapability(text), 40);
});
