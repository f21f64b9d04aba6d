import { CallError } from '../../src/call/errors';
import { keySchema, parseRequest, requestSchemas } from '../../src/call/request';
import { readConfig } from '../../src/config';

const schemas = requestSchemas(readConfig({}));
const valid = { to: '+966501234567', scriptId: 'testScript' };
const inSeconds = (seconds: number) => new Date(Date.now() + seconds * 1_000).toISOString();

/** Parses a body as it comes off the wire. @returns the paths of the fields that were named as bad; none where all is well */
function badPaths(body: unknown, schema: keyof typeof schemas = 'call'): string[] {
  const value: unknown = typeof body === 'string' ? JSON.parse(body) : body;
  try {
    parseRequest(schemas[schema], value);
    return [];
  } catch (error) {
    if (!(error instanceof CallError)) throw error;
    expect(error.code).toBe('INVALID_REQUEST');
    for (const { path, message } of error.errors ?? []) {
      expect(message).not.toBe('');
      expect(error.message).toContain(`${path || 'body'} ${message}`);
    }
    return (error.errors ?? []).map((problem) => problem.path);
  }
}

function nested(levels: number): unknown {
  return levels === 0 ? 1 : { a: nested(levels - 1) };
}

describe('a call that is asked for', () => {
  test('needs a number and a script, and nothing else', () => {
    expect(badPaths(valid)).toEqual([]);
    expect(badPaths({ ...valid, metadata: { a: [1, 'ä😀', null, { b: true }] }, expiresAt: inSeconds(60) })).toEqual(
      [],
    );
  });

  test.each(['[]', 'null', '"x"', '1', 'true'])('%s is no call', (body) => {
    expect(badPaths(body)).toEqual(['']);
  });

  test('is told of every bad field at once', () => {
    expect(badPaths({ to: 'x', scriptId: '', metadata: [], expiresAt: 'soon', colour: 'red', size: 1 }).sort()).toEqual(
      ['colour', 'expiresAt', 'metadata', 'scriptId', 'size', 'to'],
    );
    expect(badPaths({}).sort()).toEqual(['scriptId', 'to']);
  });

  test.each([
    ['an unknown field', '"colour":"red"', 'colour'],
    ['a status', '"status":"COMPLETED"', 'status'],
    ['attempts', '"attempts":0', 'attempts'],
    ['an id', '"id":"00000000-0000-4000-8000-000000000000"', 'id'],
    ['a message’s requestId', '"requestId":"r"', 'requestId'],
    ['__proto__', '"__proto__":{"scriptId":"other"}', '__proto__'],
    ['constructor', '"constructor":{}', 'constructor'],
    ['a field of another case', '"To":"+966501234567"', 'To'],
  ])('may not carry %s, which is refused by name', (_, field, path) => {
    const body = `{"to":"+966501234567","scriptId":"s",${field}}`;
    expect(badPaths(body)).toEqual([path]);
    expect(badPaths(body.replace('"to":"+966501234567",', ''), 'change')).toEqual([path]);
  });

  test('is told of __proto__ besides what else is wrong', () => {
    expect(badPaths('{"__proto__":{"to":"+966501234567"},"scriptId":"s"}').sort()).toEqual(['__proto__', 'to']);
    expect(badPaths('{"__proto__":null}', 'change')).toContain('__proto__');
  });

  test.each([
    ['missing', undefined],
    ['null', null],
    ['a number', 966501234567],
    ['a list', ['+966501234567']],
    ['an object', { toString: '+966501234567' }],
    ['not E.164', '966501234567'],
    ['a premium number', '+19005551234'],
  ])('whose number is %s is refused by that name', (_, to) => {
    expect(badPaths({ ...valid, to })).toEqual(['to']);
  });
});

describe('a script id', () => {
  test.each([
    ['missing', undefined],
    ['null', null],
    ['a number', 5],
    ['empty', ''],
    ['of 129 characters', 'x'.repeat(129)],
    ['with a NUL', 'a\0b'],
    ['with the first half of a surrogate pair', 'a\ud83d'],
    ['with the second half of a surrogate pair', '\ude00a'],
    ['with its halves the wrong way round', '\ude00\ud83d'],
  ])('that is %s is refused', (_, scriptId) => {
    expect(badPaths({ ...valid, scriptId })).toEqual(['scriptId']);
    if (scriptId !== undefined) expect(badPaths({ scriptId }, 'change')).toEqual(['scriptId']);
  });

  test.each([
    ['of 128 characters', 'x'.repeat(128)],
    ['in another script', 'سكريبت'],
    ['with an emoji', '😀'],
  ])('%s is accepted as it is', (_, scriptId) => {
    expect(parseRequest(schemas.call, { ...valid, scriptId }).scriptId).toBe(scriptId);
  });
});

describe('metadata', () => {
  test.each([
    ['null', 'null'],
    ['a list', '[]'],
    ['a text', '"x"'],
    ['a number', '1'],
    ['with a NUL in a value', '{"a":{"b":["\\u0000"]}}'],
    ['with a NUL in a name', '{"a":{"b\\u0000":1}}'],
    ['with half a character in a value', '{"a":"\\ud83d"}'],
    ['with half a character in a name', '{"\\udc00":1}'],
    ['with __proto__ as a name', '{"__proto__":{"a":1}}'],
    ['with __proto__ as an inner name', '{"a":[{"__proto__":1}]}'],
    ['with a number that JSON cannot write again', '{"a":1e400}'],
    ['over 8 KB', JSON.stringify({ a: 'x'.repeat(8 * 1024 - 7) })],
    ['over 8 KB in bytes, not in characters', JSON.stringify({ a: '€'.repeat(3_000) })],
    ['nested 9 deep', JSON.stringify(nested(9))],
    ['nested 9 deep in lists', `{"a":${'['.repeat(8)}${']'.repeat(8)}}`],
    ['nested 30,000 deep', `{"a":${'['.repeat(30_000)}${']'.repeat(30_000)}}`],
  ])('%s is refused', (_, metadata) => {
    expect(badPaths(`{"to":"+966501234567","scriptId":"s","metadata":${metadata}}`)).toEqual(['metadata']);
    expect(badPaths(`{"metadata":${metadata}}`, 'change')).toEqual(['metadata']);
  });

  test.each([
    ['empty', {}],
    ['of exactly 8 KB', { a: 'x'.repeat(8 * 1024 - 8) }],
    ['nested 8 deep', nested(8)],
    ['with names that objects have anyway', JSON.parse('{"constructor":1,"toString":2,"hasOwnProperty":3}')],
  ])('%s is accepted as it is', (_, metadata: unknown) => {
    expect(parseRequest(schemas.call, { ...valid, metadata }).metadata).toEqual(metadata);
  });
});

describe('an expiry', () => {
  test.each([
    ['in the past', inSeconds(-1)],
    ['long past', '1970-01-01T00:00:00Z'],
    ['in words', 'tomorrow'],
    ['empty', ''],
    ['a day without a time', '2030-01-31'],
    ['a time without a zone', '2030-01-31T12:00:00'],
    ['a time of another format', 'Thu, 31 Jan 2030 12:00:00 GMT'],
    ['a day that does not exist', `${new Date().getUTCFullYear() + 1}-02-30T12:00:00Z`],
    ['an hour that does not exist', `${new Date().getUTCFullYear() + 1}-01-01T25:00:00Z`],
    ['a number', Date.now() + 60_000],
    ['null', null],
    ['more than 366 days away', inSeconds(367 * 86_400)],
    ['in the year 9999', '9999-12-31T23:59:59Z'],
  ])('%s is refused', (_, expiresAt) => {
    expect(badPaths({ ...valid, expiresAt })).toEqual(['expiresAt']);
    expect(badPaths({ expiresAt }, 'change')).toEqual(['expiresAt']);
  });

  test('is accepted in UTC, with an offset, and up to 366 days away', () => {
    const soon = inSeconds(120);
    for (const expiresAt of [soon, soon.replace('Z', '+00:00'), soon.replace(/\.\d+Z/, 'Z'), inSeconds(365 * 86_400)]) {
      expect(badPaths({ ...valid, expiresAt })).toEqual([]);
    }
  });

  test('with an offset is the moment it names: 3 hours ahead of UTC it is past 3 hours earlier', () => {
    const wallClock = inSeconds(2 * 3_600).replace(/\.\d+Z/, '');
    expect(badPaths({ ...valid, expiresAt: `${wallClock}+03:00` })).toEqual(['expiresAt']);
    expect(badPaths({ ...valid, expiresAt: `${wallClock}-03:00` })).toEqual([]);
  });
});

describe('a priority', () => {
  test.each([0, 6, -1, 2.5, 1e300, '3', 'high', null, true, [3], {}])('%j is refused', (priority) => {
    for (const door of ['call', 'message'] as const)
      expect(badPaths({ ...valid, priority }, door)).toEqual(['priority']);
    expect(() => parseRequest(schemas.call, { ...valid, priority })).toThrow(
      'priority must be a whole number from 1 to 5',
    );
  });

  test('may be 1 to 5 at both doors, and be left out', () => {
    for (const priority of [1, 2, 3, 4, 5]) {
      for (const door of ['call', 'message'] as const) {
        expect(parseRequest(schemas[door], { ...valid, priority })).toEqual({ ...valid, priority });
      }
    }
    expect(parseRequest(schemas.call, valid)).toEqual(valid);
  });

  test('cannot be changed, and the refusal says so rather than that it is unknown', () => {
    expect(() => parseRequest(schemas.change, { priority: 1 })).toThrow('priority is not a field that can be changed');
    expect(badPaths({ priority: 1, scriptId: 's' }, 'change')).toEqual(['priority']);
    expect(() => parseRequest(schemas.call, { ...valid, colour: 'red' })).toThrow('colour is not a known field');
  });
});

describe('a change of a call', () => {
  test.each([
    ['the number', { to: '+966501234568' }],
    ['the script', { scriptId: 'other' }],
    ['the metadata', { metadata: {} }],
    ['the expiry', { expiresAt: inSeconds(60) }],
  ])('may be of %s alone', (_, change) => {
    expect(parseRequest(schemas.change, change)).toEqual(change);
  });

  test('that changes nothing is refused, with one sentence', () => {
    expect(badPaths({}, 'change')).toEqual(['']);
  });

  test('that names unknown fields only is told of those and no more', () => {
    expect(badPaths({ status: 'COMPLETED', attempts: 9 }, 'change').sort()).toEqual(['attempts', 'status']);
  });
});

describe('a key that names a request', () => {
  test.each(['a', 'x'.repeat(255), '00000000-0000-4000-8000-000000000000', '!"#~'])('may be %p', (key) => {
    expect(keySchema.safeParse(key).success).toBe(true);
    expect(badPaths({ ...valid, requestId: key }, 'message')).toEqual([]);
  });

  test.each(['', 'x'.repeat(256), 'a b', 'a\n', 'ä', 'a\0', 5, null])('may not be %p', (key) => {
    expect(keySchema.safeParse(key).success).toBe(false);
    expect(badPaths({ ...valid, requestId: key }, 'message')).toEqual(['requestId']);
  });

  test('may be left out of a message', () => {
    expect(badPaths(valid, 'message')).toEqual([]);
  });
});
