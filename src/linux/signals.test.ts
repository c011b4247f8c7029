import assert from 'node:assert/strict';
import { constants } from 'node:os';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseSignal, signalName } from './signals.ts';

test('names as the C library has them', () => {
  for (const [name, number] of Object.entries(constants.signals)) {
    assert.equal(parseSignal(name), number, name);
    assert.equal(parseSignal(name.slice(3)), number, name);
    assert.equal(parseSignal(name.toLowerCase()), number, name);
  }
});

test('numbers', () => {
  for (let number = 0; number <= 64; number++) assert.equal(parseSignal(String(number)), number);
});

test('real-time signals', () => {
  assert.equal(parseSignal('SIGRTMIN'), 34);
  assert.equal(parseSignal('rtmin+3'), 37);
  assert.equal(parseSignal('RTMIN+30'), 64);
  assert.equal(parseSignal('SIGRTMAX'), 64);
  assert.equal(parseSignal('RTMAX-14'), 50);
  assert.equal(parseSignal('RTMAX-30'), 34);
});

test('anything else is refused', () => {
  const wrong = [
    '',
    'FOO',
    'SIG',
    'SIGSIGKILL',
    '-9',
    '+9',
    '65',
    '009',
    '9 ',
    ' KILL',
    '1e1',
    '0x9',
    '9.0',
    '٩',
  ];
  wrong.push(
    'RTMIN+31',
    'RTMIN-1',
    'RTMAX+1',
    'RTMAX-31',
    'RTMIN+',
    'RTMIN+1x',
    'KıLL',
    'SIG9',
    '__proto__',
    'toString',
  );
  for (const text of wrong) {
    assert.throws(() => parseSignal(text), { code: 'E_SIGNAL' }, text);
  }
  assert.throws(() => parseSignal('FOO'), /^RuntsError: unknown signal "FOO"/);
});

test('property: a name leads back to its number', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 64 }), (number) => {
      const name = signalName(number);
      if (number === 32 || number === 33) assert.equal(name, `signal ${number}`);
      else assert.equal(parseSignal(name), number);
    }),
  );
  assert.equal(signalName(9), 'SIGKILL');
  assert.equal(signalName(37), 'SIGRTMIN+3');
  assert.equal(signalName(0), 'signal 0');
});
