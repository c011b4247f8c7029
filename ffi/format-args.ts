/**
 * Arguments of system calls as a reader of a plan or of an error message wants them: flags by name, strings quoted,
 * structures with their fields.
 *
 * @module
 */

import { AT, F } from './constants/file.ts';
import { PR } from './constants/process.ts';
import { type ConstantSet, constantSet } from './constants/sets.ts';
import type { Arg, Bytes, Words } from './program.ts';
import { type Machine, type ParameterType, SYSCALLS, type SyscallName } from './syscalls.ts';
import { hex } from './text.ts';

export interface FormatOptions {
  /** Whose numbers the program's flags are; this machine's by default. */
  machine?: Machine;
  /** What to print in place of a descriptor's or a cell's name, e.g. a path or a number. */
  values?: Readonly<Record<string, string | number>>;
  /** For an error message: cut long strings and lists, and leave out the environment. */
  brief?: boolean;
}

const BRIEF_STRING = 200;
const BRIEF_LIST = 8;

/** The structures that calls take by pointer, as their words' {@link Words.text} names them. */
const STRUCTURES: Readonly<Record<string, Readonly<Record<string, ParameterType>>>> = {
  open_how: { flags: { constants: 'open' }, mode: 'mode', resolve: { constants: 'resolve' } },
  mount_attr: {
    attr_set: { constants: 'mount_attr' },
    attr_clr: { constants: 'mount_attr' },
    propagation: { constants: 'mount' },
    userns_fd: 'fd',
  },
  clone_args: {
    flags: { constants: 'clone' },
    pidfd: 'pointer',
    child_tid: 'pointer',
    parent_tid: 'pointer',
    exit_signal: 'signal',
    stack: 'pointer',
    stack_size: 'size',
    tls: 'pointer',
    set_tid: 'pointer',
    set_tid_size: 'size',
    cgroup: 'fd',
  },
  rlimit: { rlim_cur: { constants: 'limit' }, rlim_max: { constants: 'limit' } },
  iovec: { iov_base: 'pointer', iov_len: 'size' },
  timespec: { tv_sec: 'int', tv_nsec: 'int' },
  msghdr: {
    msg_name: 'pointer',
    msg_namelen: 'size',
    msg_iov: 'pointer',
    msg_iovlen: 'size',
    msg_control: 'pointer',
    msg_controllen: 'size',
    msg_flags: 'int',
  },
};

/** Names and types of a call's arguments; those of a multiplexing call depend on what it is told to do. */
export function parameters(
  name: SyscallName,
  args: readonly Arg[],
): readonly (readonly [string, ParameterType])[] {
  const list = Object.entries(SYSCALLS[name].parameters as Readonly<Record<string, ParameterType>>);
  const retype = (index: number, type: ParameterType | { constants: string }) => {
    const parameter = list[index];
    if (parameter !== undefined) list[index] = [parameter[0], type];
  };
  const constants = (set: string) => ({ constants: set });
  if (name === 'prctl') {
    if (args[0] === PR.CAPBSET_DROP || args[0] === PR.CAPBSET_READ) retype(1, constants('capability'));
    else if (args[0] === PR.SET_PDEATHSIG) retype(1, 'signal');
    else if (args[0] === PR.CAP_AMBIENT) {
      retype(1, constants('cap_ambient'));
      retype(2, constants('capability'));
    }
  } else if (name === 'fcntl') {
    if (args[1] === F.ADD_SEALS) retype(2, constants('seals'));
    else if (args[1] === F.SETFD) retype(2, constants('fd_flags'));
    else if (args[1] === F.SETFL) retype(2, constants('open'));
  }
  return list;
}

/** One argument. */
export function formatArg(arg: Arg, type: ParameterType, options: FormatOptions): string {
  if (arg === null) return 'NULL';
  if (typeof arg === 'string') return quote(arg, options);
  if (typeof arg === 'number' || typeof arg === 'bigint') return formatNumber(arg, type, options);
  switch (arg.kind) {
    case 'fd':
      return substitute(arg.name, options) ?? `@${arg.name}`;
    case 'cellValue':
      return substitute(arg.cell.name, options) ?? arg.cell.name + at(arg.offset);
    case 'cellAddress':
      return `&${arg.cell.name}${at(arg.offset)}`;
    case 'bytes':
      return formatBytes(arg, options);
    case 'words':
      return formatWords(arg, options);
  }
}

/** `name`, or `name[+8]` for what is at byte 8 of it. */
function at(offset: number): string {
  return offset === 0 ? '' : `[+${offset}]`;
}

function substitute(name: string, options: FormatOptions): string | undefined {
  const value = options.values?.[name];
  return value === undefined ? undefined : String(value);
}

/** A string in JSON's notation, which shows every control character. */
export function quote(string: string, options: FormatOptions = {}): string {
  if (!options.brief || string.length <= BRIEF_STRING) return JSON.stringify(string);
  return `${JSON.stringify(string.slice(0, BRIEF_STRING))}...`;
}

function formatNumber(value: number | bigint, type: ParameterType, options: FormatOptions): string {
  switch (type) {
    case 'fd':
      return Number(value) === AT.FDCWD ? 'AT_FDCWD' : String(value);
    case 'int':
    case 'pid':
    case 'size':
      return String(value);
    case 'signal':
      return signalName(Number(value));
    case 'mode':
      return formatMode(Number(value), options);
    case 'dev':
      return formatDevice(BigInt(value));
    case 'string':
    case 'pointer':
      return value === 0 || value === 0n ? 'NULL' : `0x${value.toString(16)}`;
    default:
      return formatConstant(value, type.constants, options);
  }
}

/** A value by the names of a set of constants; what has no name is printed in hexadecimal. */
export function formatConstant(value: number | bigint, set: string, options: FormatOptions = {}): string {
  // RLIM_INFINITY is all ones, which no set of flags can say.
  if (set === 'limit')
    return BigInt.asUintN(64, BigInt(value)) === 0xffffffffffffffffn ? 'RLIM_INFINITY' : `${value}`;
  const constants = constantSet(set, options.machine ?? (process.arch === 'arm64' ? 'arm64' : 'x64'));
  if (constants === undefined) return String(value);
  if (constants.style === 'enum') return constantName(constants, value) ?? String(value);
  return formatFlags(BigInt.asUintN(64, BigInt(value)), constants);
}

function constantName(set: ConstantSet, value: number | bigint): string | undefined {
  for (const [name, number] of Object.entries(set.values)) if (BigInt(number) === BigInt(value)) return name;
  return undefined;
}

function formatFlags(value: bigint, set: ConstantSet): string {
  const mask = BigInt(set.mask ?? 0);
  const flags: { name: string; bits: bigint; order: number }[] = [];
  let enumeration: string | undefined;
  Object.entries(set.values).forEach(([name, number], order) => {
    const bits = BigInt(number);
    if (bits <= mask && set.mask !== undefined) {
      if (bits === (value & mask)) enumeration ??= name;
    } else if (bits !== 0n) {
      flags.push({ name, bits, order });
    } else if (value === 0n) {
      enumeration ??= name;
    }
  });
  let rest = enumeration === undefined ? value : value & ~mask;
  // Combinations (O_TMPFILE, MOUNT_ATTR__ATIME) before the flags they contain.
  flags.sort((a, b) => bitCount(b.bits) - bitCount(a.bits) || a.order - b.order);
  const found = flags.filter(({ bits }) => {
    if ((rest & bits) !== bits) return false;
    rest &= ~bits;
    return true;
  });
  const names = found.sort((a, b) => a.order - b.order).map(({ name }) => name);
  // With O_PATH the access mode is ignored, and O_RDONLY would only mislead.
  if (enumeration !== undefined && !(names.includes('O_PATH') && (value & mask) === 0n))
    names.unshift(enumeration);
  if (rest !== 0n) names.push(`0x${rest.toString(16)}`);
  return names.length === 0 ? '0' : names.join('|');
}

function bitCount(bits: bigint): number {
  return bits.toString(2).replaceAll('0', '').length;
}

/** `0755`, or `S_IFCHR|0666` where the mode has a file type. */
function formatMode(mode: number, options: FormatOptions): string {
  const type = mode & 0o170000;
  const octal = (bits: number) => (bits === 0 ? '0' : `0${bits.toString(8)}`);
  if (type === 0) return octal(mode);
  return `${formatConstant(type, 'file_type', options)}|${octal(mode & 0o7777)}`;
}

/** The inverse of makedev(3). */
function formatDevice(dev: bigint): string {
  const major = ((dev >> 8n) & 0xfffn) | ((dev >> 32n) & ~0xfffn);
  const minor = (dev & 0xffn) | ((dev >> 12n) & 0xffffff00n);
  return dev === 0n ? '0' : `makedev(${major}, ${minor})`;
}

const SIGNALS =
  'HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG XCPU ' +
  'XFSZ VTALRM PROF WINCH IO PWR SYS';

function signalName(number: number): string {
  const name = SIGNALS.split(' ')[number - 1];
  return name === undefined ? String(number) : `SIG${name}`;
}

/** What the author said they are, or the text they hold, or how many there are and how they begin. */
function formatBytes({ bytes, text }: Bytes, options: FormatOptions): string {
  if (text !== undefined) return text;
  const printable =
    bytes.length > 0 && bytes.every((byte) => byte === 9 || byte === 10 || (byte >= 32 && byte < 127));
  if (printable) return quote(String.fromCharCode(...bytes), options);
  const start = hex(bytes.subarray(0, 16));
  return `<${bytes.length} bytes${start === '' ? '' : ': '}${start}${bytes.length > 16 ? '...' : ''}>`;
}

function formatWords(words: Words, options: FormatOptions): string {
  if (words.text === 'argv') return formatList(words, options);
  const fields = Object.entries(STRUCTURES[words.text] ?? {});
  const parts: string[] = [];
  words.words.forEach((word, index) => {
    const field = fields[fields.length === 0 ? 0 : index % fields.length];
    if (field === undefined) parts.push(formatArg(word, 'int', options));
    // As strace does: a field that is 0 says nothing.
    else if (word !== 0 && word !== 0n) parts.push(`${field[0]}=${formatArg(word, field[1], options)}`);
  });
  return `${fields.length === 0 ? words.text : ''}{${parts.join(', ')}}`;
}

function formatList({ words }: Words, options: FormatOptions): string {
  const items = words.at(-1) === 0 ? words.slice(0, -1) : words;
  const shown = options.brief ? items.slice(0, BRIEF_LIST) : items;
  const parts = shown.map((item) => formatArg(item, 'pointer', options));
  if (shown.length < items.length) parts.push('...');
  return `[${parts.join(', ')}]`;
}
