import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NLM_F, RTM } from '../../ffi/constants/netlink.ts';
import {
  decodeAttributes,
  decodeMessages,
  decodeString,
  decodeUint32,
  encodeMessage,
  encodeString,
  encodeUint32,
  NetlinkError,
  NetlinkSocket,
} from './netlink.ts';

test('a message: header, body, attributes, each at a multiple of 4', () => {
  const message = encodeMessage(RTM.NEWLINK, 5, 7, new Uint8Array([1, 2, 3, 4]), [
    [3, encodeString('eth0')],
    [28, encodeUint32(9)],
  ]);
  assert.deepEqual(
    [...message],
    [
      ...[40, 0, 0, 0, 16, 0, 5, 0, 7, 0, 0, 0, 0, 0, 0, 0],
      ...[1, 2, 3, 4],
      ...[9, 0, 3, 0, 101, 116, 104, 48, 0, 0, 0, 0],
      ...[8, 0, 28, 0, 9, 0, 0, 0],
    ],
  );
});

test('what is encoded can be decoded', () => {
  const body = new Uint8Array([1, 2, 3, 4]);
  const one = encodeMessage(RTM.NEWADDR, NLM_F.CREATE, 1, body, [[3, encodeString('x')]]);
  const two = encodeMessage(RTM.NEWLINK, 0, 2, body, []);
  const messages = decodeMessages(new Uint8Array([...one, ...two]));
  assert.deepEqual(
    messages.map(({ type, flags, sequence }) => [type, flags, sequence]),
    [
      [RTM.NEWADDR, NLM_F.CREATE, 1],
      [RTM.NEWLINK, 0, 2],
    ],
  );
  const attributes = decodeAttributes(messages[0]!.payload, 4);
  assert.equal(decodeString(attributes.get(3)!), 'x');
  assert.equal(decodeUint32(encodeUint32(0xfffffffe)), 0xfffffffe);
});

test('bits of an attribute’s type that mark it as nested are not its number', () => {
  const message = encodeMessage(RTM.NEWLINK, 0, 1, new Uint8Array(4), [[0x8003, encodeString('x')]]);
  assert.deepEqual([...decodeAttributes(decodeMessages(message)[0]!.payload, 4).keys()], [3]);
});

test('messages and attributes that are cut off, or of impossible lengths, end the list', () => {
  const whole = encodeMessage(RTM.NEWLINK, 0, 1, new Uint8Array(4), [[3, encodeString('eth0')]]);
  for (let length = 0; length < whole.length; length++) {
    assert.deepEqual(decodeMessages(whole.subarray(0, length)), []);
    decodeAttributes(whole.subarray(0, length), 20);
  }
  const zero = Uint8Array.from(whole);
  zero[0] = 0;
  assert.deepEqual(decodeMessages(zero), []);
  const attribute = Uint8Array.from(whole.subarray(16));
  attribute[4] = 1;
  assert.equal(decodeAttributes(attribute, 4).size, 0);
});

test('the kernel answers: lo is there, and what isn’t allowed is refused', () => {
  const socket = new NetlinkSocket('test');
  try {
    const names = socket
      .dump(RTM.GETLINK, new Uint8Array(16))
      .map(({ payload }) => decodeString(decodeAttributes(payload, 16).get(3)!));
    assert.ok(names.includes('lo'), names.join());
    const body = new Uint8Array(16);
    new DataView(body.buffer).setInt32(4, 0x7ffffff0, true);
    assert.throws(
      () => socket.change(RTM.NEWLINK, 0, body, []),
      (error) => error instanceof NetlinkError && ['ENODEV', 'EPERM'].includes(error.errno),
    );
  } finally {
    socket.close();
  }
});
