/**
 * D-Bus calls to systemd, through sd-bus of libsystemd.
 *
 * libsystemd is the D-Bus client that systemd's own tools use, and it is there wherever systemd and a message bus are,
 * which are linked with it. It is loaded by the first call here, so by commands with the systemd manager only. What
 * npm has was tried and not taken: the libraries there are asynchronous on top of node:net (15 to 50 ms to load, 2 MB
 * more in the binary, an XML parser), and authenticate as the effective user id, which is wrong in a user namespace,
 * where rootless engines call the runtime.
 *
 * Calls block: there is nothing else to do while systemd works.
 *
 * @see sd-bus(3); org.freedesktop.systemd1(5)
 * @module
 */

import { errnoName, errnoText } from '../../../ffi/constants/index.ts';
import { declareAll, type NativeFunction, nativeBytes } from '../../../ffi/native.ts';
import { utf8 } from '../../../ffi/text.ts';
import { RuntsError } from '../../errors.ts';
import { type Content, splitSignature, type Value } from './values.ts';

const LIBRARY = 'libsystemd.so.0';

/** What is called and with what; the arguments' types are D-Bus signatures. */
export interface BusCall {
  destination: string;
  path: string;
  interface: string;
  member: string;
  arguments?: readonly Value[];
}

/** A refusal by the one who was called, e.g. `org.freedesktop.systemd1.NoSuchUnit`. */
export interface BusRefusal {
  name: string;
  message: string;
}

/** A connection. Everything here throws RuntsError E_CGROUP when the connection fails. */
export interface Bus {
  /**
   * Calls a method.
   *
   * @param results signature of the answer: `s`, `o`, `u` or `v` (a variant of a string) each
   * @returns the answer's values, or why it was refused
   */
  call(call: BusCall, results?: string): (string | number)[] | BusRefusal;
  /**
   * The values of the next signal that fits.
   *
   * @param values signature, as of call()
   * @returns undefined after the timeout
   */
  signal(iface: string, member: string, values: string, timeoutMs: number): (string | number)[] | undefined;
  close(): void;
}

export function isRefusal(answer: (string | number)[] | BusRefusal): answer is BusRefusal {
  return !Array.isArray(answer);
}

// sd_bus and sd_bus_message pointers are passed as integers, and so are characters.
const FUNCTIONS = {
  sd_bus_open_system: ['int', ['void *']],
  sd_bus_open_user: ['int', ['void *']],
  sd_bus_flush_close_unref: ['int64', ['int64']],
  sd_bus_message_new_method_call: ['int', ['int64', 'void *', 'str', 'str', 'str', 'str']],
  sd_bus_message_append_basic: ['int', ['int64', 'int', 'void *']],
  sd_bus_message_open_container: ['int', ['int64', 'int', 'str']],
  sd_bus_message_close_container: ['int', ['int64']],
  sd_bus_message_read_basic: ['int', ['int64', 'int', 'void *']],
  sd_bus_message_enter_container: ['int', ['int64', 'int', 'str']],
  sd_bus_message_exit_container: ['int', ['int64']],
  sd_bus_message_is_signal: ['int', ['int64', 'str', 'str']],
  sd_bus_message_unref: ['int64', ['int64']],
  sd_bus_call: ['int', ['int64', 'int64', 'uint64', 'void *', 'void *']],
  sd_bus_process: ['int', ['int64', 'void *']],
  sd_bus_wait: ['int', ['int64', 'uint64']],
  sd_bus_error_free: ['void', ['void *']],
} as const;

interface SdBus extends Record<keyof typeof FUNCTIONS, NativeFunction> {
  strlen: NativeFunction;
  memcpy: NativeFunction;
}

let loaded: SdBus | undefined;

function sdBus(): SdBus {
  if (loaded !== undefined) return loaded;
  try {
    const libc = { strlen: ['int64', ['int64']], memcpy: ['int64', ['void *', 'int64', 'int64']] } as const;
    loaded = { ...declareAll(LIBRARY, FUNCTIONS), ...declareAll(null, libc) };
  } catch (error) {
    throw new RuntsError(
      'E_UNSUPPORTED',
      `the systemd cgroup manager needs ${LIBRARY}, which can't be loaded`,
      {
        hint: 'install libsystemd (libsystemd0, systemd-libs), or use --cgroup-manager cgroupfs',
        cause: error,
      },
    );
  }
  return loaded;
}

/** A variable of 8 bytes that C writes to. */
class Slot {
  readonly bytes = nativeBytes(8);
  private readonly view = new DataView(this.bytes.buffer);

  get pointer(): number {
    return Number(this.view.getBigUint64(0, true));
  }

  get u32(): number {
    return this.view.getUint32(0, true);
  }
}

/** struct sd_bus_error { const char *name, *message; int _need_free; }, with room for later versions. */
const ERROR_SIZE = 32;

/**
 * Connects.
 *
 * @param user the bus of the user (DBUS_SESSION_BUS_ADDRESS, else XDG_RUNTIME_DIR/bus) rather than of the system
 * @throws RuntsError E_CGROUP; E_UNSUPPORTED without libsystemd
 */
export function openBus(user: boolean): Bus {
  const sd = sdBus();
  const slot = new Slot();
  const result = user ? sd.sd_bus_open_user(slot.bytes) : sd.sd_bus_open_system(slot.bytes);
  if (result < 0) throw connectError(user, -result);
  const bus = slot.pointer;
  return {
    call: (call, results = '') => callMethod(sd, bus, call, results),
    signal: (iface, member, values, timeoutMs) => waitForSignal(sd, bus, iface, member, values, timeoutMs),
    close: () => {
      sd.sd_bus_flush_close_unref(bus);
    },
  };
}

function connectError(user: boolean, errno: number): RuntsError {
  const which = user ? 'user' : 'system';
  const name = errnoName(errno);
  return new RuntsError(
    'E_CGROUP',
    `cannot connect to the D-Bus ${which} bus: ${errnoText(errno)} (${name})`,
    {
      errno: name,
      hint: user
        ? 'a systemd user session is needed: set DBUS_SESSION_BUS_ADDRESS or XDG_RUNTIME_DIR, see loginctl enable-linger; or use --cgroup-manager cgroupfs'
        : 'systemd and D-Bus must be running; without them use --cgroup-manager cgroupfs',
    },
  );
}

function check(result: number, what: string): number {
  if (result >= 0) return result;
  const name = errnoName(-result);
  throw new RuntsError('E_CGROUP', `D-Bus: ${what}: ${errnoText(-result)} (${name})`, { errno: name });
}

function callMethod(
  sd: SdBus,
  bus: number,
  call: BusCall,
  results: string,
): (string | number)[] | BusRefusal {
  const slot = new Slot();
  const { destination, path, member } = call;
  check(
    sd.sd_bus_message_new_method_call(bus, slot.bytes, destination, path, call.interface, member),
    member,
  );
  const message = slot.pointer;
  const error = nativeBytes(ERROR_SIZE);
  const reply = new Slot();
  try {
    for (const argument of call.arguments ?? []) append(sd, message, argument);
    // 0: the usual 25 seconds
    const result = sd.sd_bus_call(bus, message, 0n, error, reply.bytes);
    if (result >= 0) return read(sd, reply.pointer, results);
    const refusal = refusalOf(sd, error);
    if (refusal === undefined) check(result, member);
    return refusal ?? { name: '', message: '' };
  } finally {
    sd.sd_bus_error_free(error);
    sd.sd_bus_message_unref(message);
    if (reply.pointer !== 0) sd.sd_bus_message_unref(reply.pointer);
  }
}

function refusalOf(sd: SdBus, error: Uint8Array): BusRefusal | undefined {
  const view = new DataView(error.buffer);
  const name = Number(view.getBigUint64(0, true));
  if (name === 0) return undefined;
  return { name: text(sd, name), message: text(sd, Number(view.getBigUint64(8, true))) };
}

/** A C string. */
function text(sd: SdBus, address: number): string {
  if (address === 0) return '';
  const bytes = nativeBytes(Number(sd.strlen(address)));
  if (bytes.length > 0) sd.memcpy(bytes, address, bytes.length);
  return new TextDecoder().decode(bytes);
}

const code = (type: string): number => type.charCodeAt(0);

function append(sd: SdBus, message: number, { type, value }: Value): void {
  const failed = (result: number): number => check(result, `append ${type}`);
  if (type.startsWith('a')) {
    const element = type.slice(1);
    failed(sd.sd_bus_message_open_container(message, code('a'), element));
    for (const item of value as readonly Content[]) append(sd, message, { type: element, value: item });
    failed(sd.sd_bus_message_close_container(message));
    return;
  }
  if (type.startsWith('(')) {
    const fields = type.slice(1, -1);
    failed(sd.sd_bus_message_open_container(message, code('r'), fields));
    splitSignature(fields).forEach((field, index) => {
      append(sd, message, { type: field, value: (value as readonly Content[])[index]! });
    });
    failed(sd.sd_bus_message_close_container(message));
    return;
  }
  if (type === 'v') {
    const inner = value as Value;
    failed(sd.sd_bus_message_open_container(message, code('v'), inner.type));
    append(sd, message, inner);
    failed(sd.sd_bus_message_close_container(message));
    return;
  }
  failed(sd.sd_bus_message_append_basic(message, code(type), basic(type, value)));
}

/** The memory of a basic value. sd-bus copies it. */
function basic(type: string, value: Content): Uint8Array {
  if (typeof value === 'string') {
    const encoded = utf8(value);
    const bytes = nativeBytes(encoded.length + 1);
    bytes.set(encoded);
    return bytes;
  }
  const bytes = nativeBytes(8);
  const view = new DataView(bytes.buffer);
  if (type === 'd') view.setFloat64(0, Number(value), true);
  else if (typeof value === 'boolean') view.setInt32(0, value ? 1 : 0, true);
  // Little-endian: the low bytes are those of a smaller integer.
  else view.setBigInt64(0, BigInt.asIntN(64, BigInt(value as number | bigint)), true);
  return bytes;
}

function read(sd: SdBus, message: number, signature: string): (string | number)[] {
  return splitSignature(signature).map((type) => {
    const slot = new Slot();
    if (type === 'v') {
      check(sd.sd_bus_message_enter_container(message, code('v'), 's'), 'read');
      check(sd.sd_bus_message_read_basic(message, code('s'), slot.bytes), 'read');
      check(sd.sd_bus_message_exit_container(message), 'read');
      return text(sd, slot.pointer);
    }
    check(sd.sd_bus_message_read_basic(message, code(type), slot.bytes), 'read');
    return type === 'u' ? slot.u32 : text(sd, slot.pointer);
  });
}

function waitForSignal(
  sd: SdBus,
  bus: number,
  iface: string,
  member: string,
  values: string,
  timeoutMs: number,
): (string | number)[] | undefined {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const slot = new Slot();
    const worked = check(sd.sd_bus_process(bus, slot.bytes), 'process');
    const message = slot.pointer;
    if (message !== 0) {
      try {
        if (sd.sd_bus_message_is_signal(message, iface, member) > 0) return read(sd, message, values);
      } finally {
        sd.sd_bus_message_unref(message);
      }
    }
    if (worked > 0) continue;
    const left = deadline - performance.now();
    if (left <= 0) return undefined;
    check(sd.sd_bus_wait(bus, BigInt(Math.ceil(left * 1000))), 'wait');
  }
}
