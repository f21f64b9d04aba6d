import type { Json } from '../../src/call/call';
import { canonicalJson } from '../../src/call/request';

test('the order of names makes no difference, at any depth', () => {
  const one = JSON.parse('{"b":{"y":[{"q":1,"p":2}],"x":null},"a":1}') as Json;
  const other = JSON.parse('{"a":1,"b":{"x":null,"y":[{"p":2,"q":1}]}}') as Json;
  expect(canonicalJson(one)).toBe(canonicalJson(other));
  expect(canonicalJson(one)).toBe('{"a":1,"b":{"x":null,"y":[{"p":2,"q":1}]}}');
});

test.each<[string, Json, Json]>([
  ['the order in a list', [1, 2], [2, 1]],
  ['a number and its text', { a: 1 }, { a: '1' }],
  ['null and absent', { a: null }, {}],
  ['false and null', false, null],
  ['an empty list and an empty object', [], {}],
  ['nesting', { a: { b: 1 } }, { a: 1, b: 1 }],
  ['a name that contains another’s JSON', { 'a":1,"b': 2 }, { a: 1, b: 2 }],
  ['composed and decomposed letters', { é: 1 }, { 'e\u0301': 1 }],
])('%s make a difference', (_, one, other) => {
  expect(canonicalJson(one)).not.toBe(canonicalJson(other));
});

test('two spellings of one number are the same', () => {
  expect(canonicalJson(JSON.parse('[1.0, 1e2, -0]') as Json)).toBe(canonicalJson([1, 100, 0]));
});

test('it reads back as the value it was made of', () => {
  const value: Json = { 'ключ "\n': ['\u2028', 1.5, true, null, { '': 'ä😀' }] };
  expect(JSON.parse(canonicalJson(value))).toEqual(value);
});

test('nothing at all is told from no name, and is null', () => {
  expect(canonicalJson(undefined)).toBe('null');
});
