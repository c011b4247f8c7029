/**
 * `--log journald:ID` and `--log syslog:ID`: log lines as datagrams to the host's log service.
 *
 * @see systemd's "Native Journal Protocol"; syslog(3), RFC 3164
 * @module
 */

import { closeSync } from '#files';
import { AF, SOCK } from '../ffi/constants/socket.ts';
import { restartingSyscall, syscall } from '../ffi/local.ts';
import { concatBytes, utf8 } from '../ffi/text.ts';
import { sendDescriptors, socketAddress } from './linux/socket.ts';
import type { LogLevel } from './log.ts';

/** Where the services listen. */
const SOCKETS = { journald: '/run/systemd/journal/socket', syslog: '/dev/log' } as const;
type Service = keyof typeof SOCKETS;

/** Severities of syslog(3). */
const PRIORITY: Readonly<Record<LogLevel, number>> = { error: 3, warning: 4, info: 6, debug: 7 };
/** LOG_USER, shifted. */
const FACILITY = 1 << 3;
/** A datagram has to fit into the socket's buffer; 200 KiB by default. */
const MAX_BYTES = 64 * 1024;

/** Sends one line. */
export type Sink = (level: LogLevel, message: string, code?: string) => void;

/**
 * Connects to the service.
 *
 * @param id - names the sender in the log; `runts` when empty
 * @throws RuntsError E_SYSCALL
 */
export function openService(service: Service, id: string): Sink {
  const what = `--log ${service}:${id}`;
  const path = SOCKETS[service];
  const socket = syscall('socket', [AF.UNIX, SOCK.DGRAM | SOCK.CLOEXEC, 0], { what });
  const address = socketAddress(path);
  try {
    const hint = { ENOENT: `${path}: no such service runs here`, EPROTOTYPE: 'the service wants a stream' };
    restartingSyscall('connect', [socket, address, address.length], { what, hint });
  } catch (error) {
    closeSync(socket);
    throw error;
  }
  const name = id === '' ? 'runts' : id;
  const encode = service === 'journald' ? journalEntry : syslogLine;
  return (level, message, code) => sendDescriptors(socket, encode(name, level, message, code), []);
}

/** Fields of the journal, one a line; a value with line breaks has its length in front. */
export function journalEntry(id: string, level: LogLevel, message: string, code?: string): Uint8Array {
  const fields = { PRIORITY: String(PRIORITY[level]), SYSLOG_IDENTIFIER: id, ID: id, RUNTS_CODE: code };
  const parts: Uint8Array[] = [];
  for (const [name, value] of [...Object.entries(fields), ['MESSAGE', message] as const]) {
    if (value === undefined) continue;
    const bytes = utf8(value).subarray(0, MAX_BYTES);
    if (bytes.includes(0x0a)) {
      const length = new Uint8Array(8);
      new DataView(length.buffer).setUint32(0, bytes.length, true);
      parts.push(utf8(`${name}\n`), length, bytes, utf8('\n'));
    } else parts.push(utf8(`${name}=`), bytes, utf8('\n'));
  }
  return concatBytes(parts);
}

/** `<PRIORITY>TIME ID[PID]: MESSAGE`, the time as syslog(3) writes it. */
export function syslogLine(id: string, level: LogLevel, message: string, code?: string): Uint8Array {
  const [, month = '', day = '', , time = ''] = new Date().toString().split(' ');
  const text = code === undefined ? message : `${code}: ${message}`;
  const line = `<${FACILITY | PRIORITY[level]}>${month} ${day.replace(/^0/, ' ')} ${time} ${id}[${process.pid}]: ${text}`;
  return utf8(line.replace(/\n/g, ' ')).subarray(0, MAX_BYTES);
}
