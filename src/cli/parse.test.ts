import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { checkOperands, type FlagsEnd, parseBool, parseFlags } from './parse.ts';
import { COMMANDS, findCommand, GLOBAL_FLAGS, HELP_FLAG } from './tables/index.ts';
import type { CommandSpec, FlagSpec } from './types.ts';

const TABLE: readonly FlagSpec[] = [
  { name: 'bundle', short: 'b', type: 'string', help: '' },
  { name: 'pid-file', type: 'string', help: '' },
  { name: 'no-pivot', type: 'boolean', help: '' },
  { name: 'force', short: 'f', type: 'boolean', help: '' },
  { name: 'preserve-fds', type: 'number', help: '', default: 0 },
  { name: 'quota', type: 'number', help: '', min: -1, max: 100 },
  { name: 'env', short: 'e', type: 'string', help: '', repeat: true },
];

const parse = (argv: string[], end: FlagsEnd = 'known') => parseFlags(TABLE, argv, end);
const message = (argv: string[]) => parse(argv).error?.message;

test("flags are written in Go's ways", () => {
  for (const argv of [
    ['--bundle', '/x', 'id'],
    ['-bundle', '/x', 'id'],
    ['--bundle=/x', 'id'],
    ['-bundle=/x', 'id'],
    ['-b', '/x', 'id'],
    ['-b=/x', 'id'],
    ['--b', '/x', 'id'],
    ['--b=/x', '--', 'id'],
    ['id', '--bundle', '/x'],
  ]) {
    const { flags, operands, error } = parse(argv);
    assert.deepEqual(
      { flags, operands, error },
      { flags: { bundle: '/x', 'preserve-fds': 0 }, operands: ['id'], error: undefined },
    );
  }
});

test('booleans, also those that begin with no-', () => {
  assert.equal(parse(['--no-pivot']).flags['no-pivot'], true);
  assert.equal(parse(['-no-pivot']).flags['no-pivot'], true);
  assert.equal(parse(['--no-pivot=false']).flags['no-pivot'], false);
  assert.equal(parse(['--no-pivot=T']).flags['no-pivot'], true);
  assert.equal('pivot' in parse(['--no-pivot']).flags, false);
  assert.equal('no-pivot' in parse([]).flags, false);
  // A boolean takes no value from the next argument.
  assert.deepEqual(parse(['--no-pivot', 'false']).operands, ['false']);
  assert.equal(message(['--force=maybe']), 'invalid boolean value "maybe" for -force: parse error');
});

test('the value of a flag is the next argument, whatever it looks like', () => {
  assert.equal(parse(['--bundle', '--pid-file', 'id']).flags.bundle, '--pid-file');
  assert.equal(parse(['--bundle', '--', 'id']).flags.bundle, '--');
  assert.equal(parse(['--bundle=', 'id']).flags.bundle, '');
  assert.equal(parse(['--bundle', '', 'id']).flags.bundle, '');
  assert.equal(parse(['--bundle=a=b\nc', 'id']).flags.bundle, 'a=b\nc');
});

test('the last of several counts, unless the flag may be repeated', () => {
  assert.equal(parse(['-b', '1', '-b', '2']).flags.bundle, '2');
  assert.equal(parse(['-f', '-f=false']).flags.force, false);
  assert.deepEqual(parse(['-e', 'A=1']).flags.env, ['A=1']);
  assert.deepEqual(parse(['-e', 'A=1', '--env=B=2', 'id', '-e', '3']).flags.env, ['A=1', 'B=2', '3']);
});

test('mistakes have the texts that callers know', () => {
  assert.equal(message(['--bundle']), 'flag needs an argument: -bundle');
  assert.equal(message(['id', '-b']), 'flag needs an argument: -b');
  assert.equal(message(['--bogus', 'id']), 'flag provided but not defined: -bogus');
  assert.equal(message(['-bogus=1', 'id']), 'flag provided but not defined: -bogus');
  assert.equal(message(['-fb', 'id']), 'flag provided but not defined: -fb');
  assert.equal(message(['---bundle']), 'bad flag syntax: ---bundle');
  assert.equal(message(['-=x']), 'bad flag syntax: -=x');
  assert.equal(message(['--=x']), 'bad flag syntax: --=x');
  assert.equal(parse(['--bogus']).error?.code, 'E_USAGE');
  // What came before a mistake is kept: the log is set up from it.
  assert.equal(parse(['--bundle=/x', '--bogus']).flags.bundle, '/x');
});

test('numbers are decimal and in range', () => {
  assert.equal(parse(['--preserve-fds', '3']).flags['preserve-fds'], 3);
  assert.equal(parse(['--preserve-fds=010']).flags['preserve-fds'], 10);
  assert.equal(parse(['--quota', '-1']).flags.quota, -1);
  for (const text of ['abc', '', ' 1', '1 ', '0x10', '1e3', '5x', '+5', '1.5', '1_000', '٣', 'Infinity']) {
    assert.match(
      message(['--preserve-fds', text]) ?? '',
      /^invalid value .* for flag -preserve-fds: parse error/,
    );
  }
  for (const argv of [
    ['--preserve-fds', '-1'],
    ['--preserve-fds', '2147483648'],
    ['--preserve-fds', '9'.repeat(400)],
    ['--quota', '101'],
  ]) {
    assert.match(message(argv) ?? '', /value out of range/);
  }
});

test('where flags end', () => {
  const globals = parse(['--bundle', 'x', 'create', '--bogus', '-f', 'id'], 'first-operand');
  assert.deepEqual(globals.operands, ['create', '--bogus', '-f', 'id']);
  assert.equal(globals.error, undefined);
  const known = parse(['id', '-9', '-f', '-', '--', '-b']);
  assert.deepEqual(known.operands, ['id', '-9', '-', '-b']);
  assert.equal(known.flags.force, true);
  assert.deepEqual(parse(['--', '--bundle']).operands, ['--bundle']);
});

test('ids and values stay as they were given', () => {
  for (const id of [
    '1e3',
    '007',
    '0x10',
    '-0',
    'true',
    'false',
    '',
    '__proto__',
    'constructor',
    '1.0',
    'a.b',
    '_',
  ]) {
    assert.deepEqual(parse(['--', id]).operands, [id]);
    assert.equal(parse(['--bundle', id]).flags.bundle, id);
  }
});

test('property: operands and values are kept verbatim, and nothing else appears', () => {
  const flag = fc.oneof(
    fc.tuple(
      fc.constantFrom('bundle', 'pid-file'),
      fc.string({ unit: 'binary' }),
      fc.constantFrom('-', '--'),
      fc.boolean(),
    ),
    fc.tuple(
      fc.constantFrom('no-pivot', 'force'),
      fc.constantFrom('true', 'false'),
      fc.constantFrom('-', '--'),
      fc.constant(true),
    ),
    fc.tuple(
      fc.constant('preserve-fds'),
      fc.nat(2 ** 31 - 1).map(String),
      fc.constantFrom('-', '--'),
      fc.boolean(),
    ),
  );
  fc.assert(
    fc.property(fc.array(flag), fc.array(fc.string({ unit: 'binary' })), (given, operands) => {
      const expected: Record<string, unknown> = { 'preserve-fds': 0 };
      const argv: string[] = [];
      for (const [name, value, dash, joined] of given) {
        argv.push(...(joined ? [`${dash}${name}=${value}`] : [`${dash}${name}`, value]));
        const type = TABLE.find((entry) => entry.name === name)?.type;
        expected[name] = type === 'boolean' ? value === 'true' : type === 'number' ? Number(value) : value;
      }
      const parsed = parse([...argv, '--', ...operands]);
      assert.equal(parsed.error, undefined);
      assert.deepEqual(parsed.flags, expected);
      assert.deepEqual(parsed.operands, operands);
    }),
  );
});

test('property: no argument list throws, invents a flag or touches Object.prototype', () => {
  const word = fc.oneof(
    fc.string(),
    fc.constantFrom(
      '--',
      '-',
      '--__proto__=1',
      '--constructor.prototype.x=1',
      '-no-bundle',
      '--bundle.x',
      '-b',
      '--force=0',
    ),
  );
  const before = Object.getOwnPropertyNames(Object.prototype);
  fc.assert(
    fc.property(fc.array(word), fc.constantFrom('known' as const, 'first-operand' as const), (argv, end) => {
      const { flags, operands } = parse(argv, end);
      for (const name of Object.keys(flags)) assert.ok(TABLE.some((flag) => flag.name === name));
      for (const operand of operands) assert.ok(argv.includes(operand));
    }),
  );
  assert.deepEqual(Object.getOwnPropertyNames(Object.prototype), before);
});

test("property: parseBool knows Go's twelve words only", () => {
  fc.assert(
    fc.property(
      fc.string(),
      (text) =>
        (parseBool(text) === undefined) !== /^([1tT0fF]|TRUE|true|True|FALSE|false|False)$/.test(text),
    ),
  );
});

test('the number of operands', () => {
  const texts = (name: string, ...operands: string[]) =>
    checkOperands(findCommand(name) as CommandSpec, operands)?.message;
  assert.equal(texts('create'), 'runts: "create" requires exactly 1 argument(s)');
  assert.equal(texts('list', 'a'), 'runts: "list" requires exactly 0 argument(s)');
  assert.equal(texts('kill'), 'runts: "kill" requires a minimum of 1 argument(s)');
  assert.equal(texts('kill', 'a', 'b', 'c'), 'runts: "kill" requires a maximum of 2 argument(s)');
  assert.equal(texts('kill', 'a'), undefined);
  assert.match(
    texts('state', 'a', '--x') ?? '',
    /requires exactly 1 argument\(s\) \("--x" counts: it is no option of state\)/,
  );
});

test('what engines pass is understood', () => {
  const split = (line: string) => {
    const globals = parseFlags(GLOBAL_FLAGS, line.split(' '), 'first-operand');
    assert.equal(globals.error, undefined, line);
    const [name, ...rest] = globals.operands;
    const spec = findCommand(name ?? '') as CommandSpec;
    const parsed = parseFlags([...spec.flags, HELP_FLAG], rest, 'known');
    assert.equal(parsed.error ?? checkOperands(spec, parsed.operands), undefined, line);
    return { globals: globals.flags, flags: parsed.flags, operands: parsed.operands };
  };
  const shim = '--root /run/containerd/runc/k8s.io --log /b/log.json --log-format json --systemd-cgroup';
  const created = split(
    `${shim} create --bundle /b --pid-file /b/init.pid --no-pivot --console-socket /tmp/s c1`,
  );
  assert.equal(created.globals['systemd-cgroup'], true);
  assert.equal(created.flags['pid-file'], '/b/init.pid');
  assert.equal(created.flags['no-pivot'], true);
  assert.deepEqual(split(`${shim} kill --all c1 9`).operands, ['c1', '9']);
  assert.equal(split('--root /r kill -a c1 TERM').flags.all, true);
  assert.equal(split('--rootless=true delete --force c1').flags.force, true);
  assert.equal(split('delete c1 --force').flags.force, true);
  assert.equal(
    split('--cgroup-manager disabled create --bundle /b --pid-file /p c1').globals['cgroup-manager'],
    'disabled',
  );
  assert.equal(split('run --bundle /b --keep c1').flags.keep, true);
  assert.equal(split('run -no-subreaper --detach c1').flags['no-subreaper'], true);
  assert.equal(split('list --format=json').flags.format, 'json');
});

test('the tables hold no contradiction', () => {
  const names = COMMANDS.map((spec) => spec.name);
  assert.equal(new Set(names).size, names.length);
  for (const flags of [GLOBAL_FLAGS, ...COMMANDS.map((spec) => [...spec.flags, HELP_FLAG])]) {
    const keys = flags.flatMap((flag) => [flag.name, ...(flag.short === undefined ? [] : [flag.short])]);
    assert.equal(new Set(keys).size, keys.length);
    for (const flag of flags) {
      // An equals sign ends a name.
      assert.match(flag.name, /^[a-z][a-z0-9-]+$/);
      assert.match(flag.short ?? 'x', /^[a-z]$/);
      assert.ok(flag.type === 'boolean' || flag.value !== undefined, `${flag.name} has a placeholder`);
      assert.doesNotMatch(flag.help, /[.]$|\n/);
    }
  }
});
