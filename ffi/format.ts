/**
 * Programs as text: what `runts plan` prints and golden files keep, the same as JSON, and single calls for error
 * messages. The notation is strace's where it has one.
 *
 * ```text
 * # mounts[0]
 *   openat2(@rootfs, "proc", {flags=O_PATH|O_CLOEXEC, resolve=RESOLVE_IN_ROOT}, 24) -> target ?ENOENT goto make
 *   goto mount
 * make:
 *   mkdirat(@rootfs, "proc", 0755)  # as runc does
 * ```
 *
 * `@name` is a descriptor that the parent hands over, `name` a cell's value and `&name` its address, `-> name` where
 * the result goes, and `?ERRNO` an error that is no failure.
 *
 * @module
 */

import { errnoName } from './constants/errno.ts';
import { type FormatOptions, formatArg, parameters, quote } from './format-args.ts';
import type { Arg, Cell, Op, Program, SyscallOp, Words } from './program.ts';
import type { ParameterType } from './syscalls.ts';

export type { FormatOptions } from './format-args.ts';

/** Notes are aligned up to this column; behind a longer line they follow at once. */
const NOTE_COLUMN = 72;

/** The program as lines: operations indented, labels and the config fields that operations come from between them. */
export function formatProgram(program: Program, options: FormatOptions = {}): string[] {
  const lines: { text: string; note?: string }[] = [];
  const labels = new Map<number, string[]>();
  for (const { index, name } of program.labels) labels.set(index, [...(labels.get(index) ?? []), name]);
  let field: string | undefined;
  let width = 0;
  let groupStart = 0;
  const alignNotes = () => {
    for (const line of lines.slice(groupStart)) {
      if (line.note === undefined) continue;
      line.text = `${line.text.padEnd(width)}  # ${line.note}`;
    }
    groupStart = lines.length;
    width = 0;
  };
  program.ops.forEach((op, index) => {
    if (op.field !== field) {
      alignNotes();
      lines.push({ text: `# ${op.field ?? 'runts'}` });
      field = op.field;
    }
    for (const name of labels.get(index) ?? []) lines.push({ text: `${name}:` });
    const text = `  ${formatBare(op, options)}`;
    lines.push({ text, note: op.note });
    if (op.note !== undefined && text.length <= NOTE_COLUMN) width = Math.max(width, text.length);
  });
  alignNotes();
  for (const name of labels.get(program.ops.length) ?? []) lines.push({ text: `${name}:` });
  return lines.map(({ text }) => text);
}

/** One operation on one line, with the field that it comes from and its note. */
export function formatOp(op: Op, options: FormatOptions = {}): string {
  const field = op.field === undefined ? '' : `  [${op.field}]`;
  const note = op.note === undefined ? '' : `  # ${op.note}`;
  return formatBare(op, options) + field + note;
}

/**
 * An operation for an error message: no more than its name and arguments, and these cut to a readable length.
 *
 * @param values - what to print in place of a descriptor's or cell's name, e.g. the path that it was opened from
 */
export function describeCall(op: Op, values?: FormatOptions['values']): string {
  const options: FormatOptions = { values, brief: true };
  return op.kind === 'syscall' ? formatCall(op, options) : formatBare(op, options);
}

function formatBare(op: Op, options: FormatOptions): string {
  const plain = (index: number) => formatArg(op.args[index] ?? 0, 'int', options);
  switch (op.kind) {
    case 'syscall':
      return formatCall(op, options) + formatResult(op);
    case 'jump':
      return op.condition === 'always'
        ? `goto ${op.target.name}`
        : `if ${plain(0)} ${op.condition} ${plain(1)} goto ${op.target.name}`;
    case 'set': {
      const right = op.operator === '' ? '' : ` ${op.operator} ${plain(1)}`;
      return `${cellName(op.store, op.storeOffset)} = ${plain(0)}${right}`;
    }
    case 'notify':
      return `notify(${[plain(0), plain(1), ...formatText(op.args, 2, options)].join(', ')})`;
    case 'fail': {
      const parts = formatText(op.args, 0, options);
      const errno = op.args[2] ?? 0;
      if (errno !== 0) parts.push(typeof errno === 'number' ? errnoName(errno) : plain(2));
      return `fail(${parts.join(', ')})`;
    }
    case 'reportTo':
      return `report to ${formatArg(op.args[0] ?? 0, 'fd', options)}`;
  }
}

function formatCall(op: SyscallOp, options: FormatOptions): string {
  const types = parameters(op.name, op.args);
  const args = op.args.map((arg, index) => {
    const [name, type] = types[index] ?? ['', 'int' as ParameterType];
    if (options.brief && name === 'envp' && isList(arg)) return `/* ${arg.words.length - 1} variables */`;
    return formatArg(arg, type, options);
  });
  return `${op.name}(${args.join(', ')})`;
}

function formatResult(op: SyscallOp): string {
  let text = '';
  if (op.store !== undefined) text += ` -> ${op.store.name}`;
  if (op.tolerate !== undefined) text += ` ?${op.tolerate === 'any' ? 'any' : op.tolerate.join(',')}`;
  if (op.goto !== undefined) text += ` goto ${op.goto.name}`;
  return text;
}

/** A message's text and its length, which a literal text says itself. */
function formatText(args: readonly Arg[], index: number, options: FormatOptions): string[] {
  const text = args[index] ?? null;
  const length = args[index + 1] ?? 0;
  if (text === null || text === 0) return [];
  if (typeof text === 'string')
    return length === 0 ? [quote(text, options)] : [quote(text, options), String(length)];
  return [formatArg(text, 'pointer', options), formatArg(length, 'size', options)];
}

function isList(arg: Arg): arg is Words {
  return typeof arg === 'object' && arg !== null && arg.kind === 'words' && arg.text === 'argv';
}

function cellName(cell: Cell, offset: number): string {
  return offset === 0 ? cell.name : `${cell.name}[+${offset}]`;
}

/** An argument in JSON: strings and plain numbers as they are, everything else as it is printed. */
export type JsonArg = string | number | null | { readonly text: string };

export interface JsonOp {
  readonly kind: Op['kind'];
  /** Names of the labels that stand before it. */
  readonly labels?: readonly string[];
  readonly field?: string;
  readonly note?: string;
  /** The line that {@link formatProgram} prints, without indentation and note. */
  readonly text: string;
  /** Of a system call: its name, and its arguments by name. */
  readonly name?: string;
  readonly args?: Readonly<Record<string, JsonArg>>;
  readonly store?: string;
  readonly tolerate?: readonly string[];
  /** Where it goes on: the label's name, and the index of the operation behind it. */
  readonly goto?: { readonly label: string; readonly index: number };
}

export interface JsonProgram {
  readonly cells: readonly { readonly name: string; readonly size: number }[];
  readonly operations: readonly JsonOp[];
}

/** The program as plain data for `runts plan --json`; an operation's place in the list is its index. */
export function programToJson(program: Program, options: FormatOptions = {}): JsonProgram {
  return {
    cells: program.cells.map(({ name, size }) => ({ name, size })),
    operations: program.ops.map((op, index) => {
      const labels = program.labels.filter((label) => label.index === index).map(({ name }) => name);
      return {
        kind: op.kind,
        labels: labels.length === 0 ? undefined : labels,
        field: op.field,
        note: op.note,
        text: formatBare(op, options),
        ...(op.kind === 'syscall' && {
          name: op.name,
          args: jsonArgs(op, options),
          store: op.store?.name,
          tolerate: op.tolerate === 'any' ? ['any'] : op.tolerate,
          goto: op.goto && { label: op.goto.name, index: op.goto.index },
        }),
        ...(op.kind === 'jump' && { goto: { label: op.target.name, index: op.target.index } }),
        ...(op.kind === 'set' && { store: cellName(op.store, op.storeOffset) }),
      };
    }),
  };
}

function jsonArgs(op: SyscallOp, options: FormatOptions): Record<string, JsonArg> {
  const types = parameters(op.name, op.args);
  const args: Record<string, JsonArg> = {};
  op.args.forEach((arg, index) => {
    const [name, type] = types[index] ?? [`arg${index}`, 'int' as ParameterType];
    if (arg === null || typeof arg === 'string') args[name] = arg;
    else {
      const text = formatArg(arg, type, options);
      args[name] = typeof arg === 'number' && text === String(arg) ? arg : { text };
    }
  });
  return args;
}
