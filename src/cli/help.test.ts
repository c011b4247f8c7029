import assert from 'node:assert/strict';
import { test } from 'node:test';
import { commandHelp, programHelp } from './help.ts';
import { COMMANDS, GLOBAL_FLAGS, HELP_COMMAND } from './tables/index.ts';

test("the program's help names every command and option", () => {
  const text = programHelp();
  for (const spec of COMMANDS) assert.ok(text.includes(`   ${spec.name} `), spec.name);
  for (const flag of GLOBAL_FLAGS) assert.ok(text.includes(`   --${flag.name}`), flag.name);
  assert.match(text, /^NAME:\n {3}runts - /);
  assert.match(text, /\n {3}help, h {2,}show/);
});

test("a command's help has its usage, description and options", () => {
  for (const spec of [...COMMANDS, HELP_COMMAND]) {
    const text = commandHelp(spec);
    assert.ok(
      text.startsWith(`NAME:\n   runts ${spec.name} - ${spec.summary}\n\nUSAGE:\n   runts ${spec.name} `),
    );
    assert.ok(text.includes(spec.description.split('\n')[0] as string));
    for (const flag of spec.flags.filter(({ hidden }) => hidden !== true))
      assert.ok(text.includes(`   --${flag.name}`), flag.name);
    assert.match(text, /--help, -h/);
  }
});

test('short names, placeholders and defaults are shown; hidden things are not', () => {
  const text = commandHelp({
    ...HELP_COMMAND,
    flags: [
      { name: 'one', short: 'o', type: 'string', value: 'X', help: 'first', default: 'a' },
      { name: 'two', type: 'string', help: 'second', repeat: true },
      { name: 'three', type: 'boolean', help: 'third', hidden: true },
    ],
  });
  assert.match(
    text,
    /\n {3}--one X, -o X {2}first \(default: a\)\n {3}--two VALUE {4}second \(may be repeated\)\n {3}--help, -h/,
  );
  assert.doesNotMatch(text, /three/);
});

test('lines fit a terminal of 100 columns, without trailing blanks', () => {
  for (const text of [programHelp(), ...COMMANDS.map(commandHelp)]) {
    for (const line of text.split('\n')) {
      assert.ok(line.length <= 100, line);
      assert.equal(line, line.trimEnd());
    }
  }
});
