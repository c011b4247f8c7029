import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeRequest, decodeResponse, encodeRequest, encodeResponse, REQUEST } from './messages.ts';
import { decode, encode, type MessageType } from './protobuf.ts';

const bytes = (hex: string): Uint8Array =>
  Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
const hex = (content: Uint8Array): string =>
  Array.from(content, (byte) => byte.toString(16).padStart(2, '0')).join('');

// Made by Google's implementation (python3-protobuf) with CRIU's own description of the messages.
const REQUEST_HEX =
  '080112820108071092211801520864756d702e6c6f675a0e0a093132372e302e302e3110d209ba01180a0a2f6574632f686f73747312' +
  '0a2f6574632f686f737473ba01070a032fc3bc1200900203aa021c6e65745b343032363533313834305d3a657874526f6f744e65744e53' +
  'b00280808080048803ffffffffffffffffff01fa030178800402';

test('a request has the bytes that CRIU reads', () => {
  const request = {
    type: REQUEST.DUMP,
    opts: {
      imagesDirFd: 7,
      pid: 4242,
      leaveRunning: true,
      logFile: 'dump.log',
      ps: { address: '127.0.0.1', port: 1234 },
      extMnt: [
        { key: '/etc/hosts', val: '/etc/hosts' },
        { key: '/ü', val: '' },
      ],
      manageCgroupsMode: 3,
      external: ['net[4026531840]:extRootNetNS'],
      emptyNs: 0x40000000,
      statusFd: -1,
      lsmMountContext: 'x',
      networkLock: 2,
    },
  };
  assert.equal(hex(encodeRequest(request)), REQUEST_HEX);
  const decoded = decodeRequest(bytes(REQUEST_HEX));
  assert.deepEqual(
    { ...decoded.opts, cgRoot: undefined, inheritFd: undefined, joinNs: undefined },
    {
      ...request.opts,
      cgRoot: undefined,
      inheritFd: undefined,
      joinNs: undefined,
    },
  );
});

test('answers of CRIU', () => {
  assert.deepEqual(decodeResponse(bytes('080610012a110a0c706f73742d726573746f726510ac02')), {
    type: REQUEST.NOTIFY,
    success: true,
    notify: { script: 'post-restore', pid: 300 },
  });
  // With a name and a git id, which are passed over.
  assert.deepEqual(decodeResponse(bytes('080a1001520c080310111a01762001320178')), {
    type: REQUEST.VERSION,
    success: true,
    version: { major: 3, minor: 17, sublevel: 1 },
  });
  assert.deepEqual(decodeResponse(bytes('0801100038ccffffffffffffffff014a084572726f723a2078')), {
    type: REQUEST.DUMP,
    success: false,
    crErrno: -52,
    crErrmsg: 'Error: x',
  });
});

test('what was encoded is decoded', () => {
  const inner: MessageType = { text: { number: 1, type: 'string' }, count: { number: 2000, type: 'uint32' } };
  const type: MessageType = {
    int: { number: 1, type: 'int32' },
    bool: { number: 15, type: 'bool' },
    inner: { number: 16, type: inner },
    texts: { number: 17, type: 'string', repeated: true },
    inners: { number: 18, type: inner, repeated: true },
  };
  const innerValue = fc.record(
    { text: fc.string({ unit: 'grapheme' }), count: fc.integer({ min: 0, max: 0xffffffff }) },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(
      fc.record(
        {
          int: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
          bool: fc.boolean(),
          inner: innerValue,
          texts: fc.array(fc.string()),
          inners: fc.array(innerValue),
        },
        { requiredKeys: ['texts', 'inners'], noNullPrototype: true },
      ),
      (message) => {
        assert.equal(
          JSON.stringify(sorted(decode(type, encode(type, message)))),
          JSON.stringify(sorted(message)),
        );
      },
    ),
    { numRuns: 200 },
  );
});

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, each]) => [key, sorted(each)]),
  );
}

test('fields that nobody knows are passed over, whatever they hold', () => {
  const type: MessageType = { known: { number: 9, type: 'int32' } };
  // fixed64, fixed32, bytes, varint, and the one that is known.
  const content = bytes(`09${'00'.repeat(8)}15${'00'.repeat(4)}1a017820054801`);
  assert.deepEqual(decode(type, content), { known: 1 });
});

test('what is no message is refused, never read beyond', () => {
  const type: MessageType = { text: { number: 1, type: 'string' }, number: { number: 2, type: 'int32' } };
  for (const bad of ['0a', '0a05', '0aff', '10', '0b', `10${'ff'.repeat(10)}01`, '0801', '1200'])
    assert.throws(() => decode(type, bytes(bad)), Error, bad);
  assert.throws(() => decodeResponse(new Uint8Array()), /neither type nor success/);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (random) => {
      try {
        decodeResponse(random);
      } catch (error) {
        assert.ok(error instanceof Error);
      }
    }),
    { numRuns: 300 },
  );
});

test('answers for tests that play CRIU', () => {
  const response = { type: REQUEST.RESTORE, success: true, restore: { pid: 12 } };
  assert.deepEqual(decodeResponse(encodeResponse(response)), response);
});
