import { hashOf, keyTextOf, makeKeyParts, matchesHash, readKeyText } from '../../src/access/key-text';

const parts = makeKeyParts();
const text = keyTextOf(parts);

test('a key is read as it was made', () => {
  expect(readKeyText(text)).toEqual(parts);
});

test.each([
  ['nothing', ''],
  ['a prefix of another service', text.replace(/^aco/, 'sk')],
  ['one character too few', text.slice(0, -1)],
  ['one character too many', `${text}A`],
  ['a line break at the end', `${text}\n`],
  ['an id in capitals', text.replace(parts.id, parts.id.toUpperCase().replace(/^[0-9]/, 'A'))],
  ['another alphabet', text.replace(/.$/, 'é')],
])('%s is none', (_, other) => {
  expect(readKeyText(other)).toBeUndefined();
});

test('a secret matches its own hash and no other', () => {
  expect(matchesHash(parts.secret, hashOf(parts.secret))).toBe(true);
  expect(matchesHash(parts.secret, hashOf(makeKeyParts().secret))).toBe(false);
  expect(matchesHash('', hashOf(parts.secret))).toBe(false);
});
