import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { excerpt, findSyntaxFault } from './json-syntax.ts';

const faults: [text: string, line: number, column: number, reason: RegExp][] = [
  ['{"a":1,}', 1, 8, /expected a property name in double quotes, found '}'/],
  ['[1,]', 1, 4, /expected a value, found ']'/],
  ['[,]', 1, 2, /expected a value, found ','/],
  ['{"a" 1}', 1, 6, /expected ":", found '1'/],
  ['{\n  "a": 1\n  "b": 2\n}', 3, 3, /expected "," or "}", found '"'/],
  ['[1 2]', 1, 4, /expected "," or "]", found '2'/],
  ["{'a': 1}", 1, 2, /property name in double quotes, found '''/],
  ['{a: 1}', 1, 2, /property name in double quotes, found 'a'/],
  ['{"a": tru}', 1, 7, /expected a value, found 'tru'/],
  ['{"a": True}', 1, 7, /found 'True'/],
  ['{"a": 0644}', 1, 7, /found '0644'/],
  ['{"a": +1}', 1, 7, /found '\+1'/],
  ['{"a": 1.}', 1, 7, /found '1\.'/],
  ['{"a": NaN}', 1, 7, /found 'NaN'/],
  ['{"a": "\\x"}', 1, 8, /unknown escape/],
  ['{"a": "\\u12"}', 1, 8, /unknown escape/],
  ['{"a": "x\ny"}', 1, 9, /control character: write it as "\\u000a"/],
  ['{} {}', 1, 4, /unexpected '{' after the end/],
  ['{"a": 1}\0', 1, 9, /unexpected the character U\+0000 after the end/],
  ['{"a": \u20ac}', 1, 7, /the character U\+20AC/],
  ['// comment\n{}', 1, 1, /expected a value, found '\/'/],
  ['{"a": [1, 2', 1, 12, /end of file: the array that begins at line 1, column 7 has no "]"/],
  ['{\n "a": {\n  "b": 1', 3, 9, /the object that begins at line 2, column 7 has no "}"/],
  ['{"a": "bc', 1, 10, /in the string that begins at line 1, column 7/],
  ['{"a":', 1, 6, /the object that begins at line 1, column 1/],
  ['{"a', 1, 4, /in the string that begins at line 1, column 2/],
  ['', 1, 1, /expected a value, found the end of the file/],
];
for (const [text, line, column, reason] of faults) {
  test(`finds the fault in ${JSON.stringify(text)}`, () => {
    const fault = findSyntaxFault(text);
    assert.deepEqual([fault?.line, fault?.column], [line, column]);
    assert.match(fault?.reason ?? '', reason);
  });
}

test('well-formed texts have none', () => {
  for (const text of [
    '{}',
    '[]',
    ' [ ] ',
    '"a\\u00e9\\n"',
    '-0.5e+3',
    'null',
    '{"a":[{},[]],"b":{"c":[1,"x",true]}}',
  ]) {
    assert.equal(findSyntaxFault(text), undefined, text);
  }
});

test('agrees with JSON.parse on whatever is well-formed', () => {
  const nearly = fc
    .tuple(fc.json(), fc.nat(), fc.constantFrom('', ',', '"', '{', ']', ' ', '1', '\\', '\n', '-', 'e'))
    .map(([json, at, insert]) => {
      const offset = at % (json.length + 1);
      return json.slice(0, offset) + insert + json.slice(offset + (at % 3));
    });
  fc.assert(
    fc.property(nearly, (text) => {
      let valid = true;
      try {
        JSON.parse(text);
      } catch {
        valid = false;
      }
      assert.equal(findSyntaxFault(text) === undefined, valid);
    }),
    { numRuns: 2000 },
  );
});

test('nesting and length cost no stack', () => {
  const deep = 1_000_000;
  assert.equal(findSyntaxFault('['.repeat(deep))?.offset, deep);
  assert.equal(findSyntaxFault(`${'['.repeat(deep)}${']'.repeat(deep)}`), undefined);
  assert.equal(findSyntaxFault(`{"a":"${'x'.repeat(10_000_000)}"`)?.column, 10_000_008);
});

test('the excerpt is one line with a caret', () => {
  assert.equal(excerpt('{"a": 1\n "b": 2}', 9), '{"a": 1 ^"b": 2}');
  const long = 'x'.repeat(100);
  assert.equal(excerpt(long, 50), `...${'x'.repeat(30)}^${'x'.repeat(20)}...`);
  assert.equal(excerpt('a\u0007\u20acb', 1), 'a^??b');
});
